import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { bodyTooLarge, limitBody } from "./body-limit.ts";
import type { HttpRequest } from "./http-request.ts";

/** A request with this head, whose body is pushed as the parser would. */
function begin(headers: Readonly<Record<string, string>>, { maxBytes = 10, canRefuse = true, isOver = false } = {}) {
  let refused = 0;
  let ended = 0;
  const incoming = new IncomingMessage(new Socket());
  Object.defineProperty(incoming, "headers", { value: headers });
  const connection = { socket: { destroySoon: () => void (ended += 1) }, whenAnswered: undefined as (() => void) | undefined };
  const request = { incoming, connection, isOver } as unknown as HttpRequest;
  const atOnce = limitBody(request, maxBytes, () => {
    refused += 1;
    return canRefuse;
  });
  const read: string[] = [];
  const errors: unknown[] = [];
  return {
    incoming,
    connection,
    atOnce,
    errors,
    read,
    listen: () => void incoming.on("error", (error: NodeJS.ErrnoException) => errors.push(error.code)),
    flow: () => void incoming.on("data", (chunk: Buffer) => read.push(chunk.toString())),
    get refused() {
      return refused;
    },
    get ended() {
      return ended;
    },
  };
}

const chunked = { "transfer-encoding": "chunked" };

describe("a length that the head tells", () => {
  test.each([
    ["0", false],
    ["10", false],
    ["11", true],
    ["99999999999999999999", true],
  ])("of %s bytes is refused at once: %s", (length, expected) => {
    const body = begin({ "content-length": length });
    expect([body.atOnce, body.refused]).toEqual([expected, expected ? 1 : 0]);
  });

  test("is no refusal where that was not possible any more", () => {
    const body = begin({ "content-length": "11" }, { canRefuse: false });
    expect([body.atOnce, body.refused]).toEqual([false, 1]);
  });

  test("of what fits is not counted: the parser takes no more than that", () => {
    const body = begin({ "content-length": "10" });
    body.incoming.push(Buffer.alloc(100));
    expect(body.refused).toBe(0);
  });

  test("and without one and without chunks, there is no body", () => {
    const body = begin({});
    expect(body.atOnce).toBe(false);
    body.incoming.push(Buffer.alloc(100));
    expect(body.refused).toBe(0);
  });
});

describe("a body in chunks", () => {
  test.each([
    [[10], 0],
    [[4, 6], 0],
    [[11], 1],
    [[4, 6, 1], 1],
    [[5, 5, 5, 5, 5], 1],
  ])("of %j bytes is refused once it is larger, and once only", (sizes, expected) => {
    const body = begin(chunked);
    for (const size of sizes) body.incoming.push(Buffer.alloc(size));
    body.incoming.push(null);
    expect([body.atOnce, body.refused]).toEqual([false, expected]);
  });

  test("that fits comes whole, and ends", async () => {
    const body = begin(chunked);
    body.flow();
    for (const text of ["abc", "def"]) body.incoming.push(Buffer.from(text));
    body.incoming.push(null);
    await new Promise((resolve) => body.incoming.once("end", resolve));
    expect(body.read.join("")).toBe("abcdef");
  });

  test("that does not fit gives its reader nothing of what is too much, and an error where somebody listens for one", async () => {
    const body = begin(chunked);
    body.flow();
    body.listen();
    for (const text of ["0123456789", "X", "Y"]) expect(body.incoming.push(Buffer.from(text)), text).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect([body.read.join(""), body.errors, body.incoming.destroyed]).toEqual(["0123456789", ["ERR_BODY_TOO_LARGE"], false]);
  });

  test("that nobody listens to fails without a word: an error that nobody hears would end the process", () => {
    const body = begin(chunked);
    expect(() => body.incoming.push(Buffer.alloc(11))).not.toThrow();
  });

  test("whose answer has begun ends its connection when that is over, in the place of nobody who waits for that already", () => {
    const body = begin(chunked, { canRefuse: false });
    body.incoming.push(Buffer.alloc(11));
    expect(body.ended).toBe(0);
    body.connection.whenAnswered?.();
    expect(body.ended).toBe(1);
    const other = begin(chunked, { canRefuse: false });
    const first = (): void => undefined;
    other.connection.whenAnswered = first;
    other.incoming.push(Buffer.alloc(11));
    expect(other.connection.whenAnswered).toBe(first);
  });

  test("whose answer is over ends its connection at once", () => {
    const body = begin(chunked, { canRefuse: false, isOver: true });
    body.incoming.push(Buffer.alloc(11));
    expect([body.ended, body.connection.whenAnswered]).toEqual([1, undefined]);
  });
});

test("the refusal names the setting as it is written", () => {
  expect(bodyTooLarge({ clientMaxBytes: 10_240, clientMaxSize: "10K" })).toEqual({
    status: 413,
    reason: "size",
    message: "the request body is larger than 10240 bytes",
    setting: "client_max_size = 10K",
  });
});
