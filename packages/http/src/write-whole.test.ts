import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeWhole } from "./write-whole.ts";

type Piece = readonly [text: string | Uint8Array, encoding?: BufferEncoding];

const accepted: Socket[] = [];
const server = createServer((socket) => {
  accepted.push(socket);
  socket.on("error", () => undefined);
});
beforeAll(async () => void (await once(server.listen(0, "127.0.0.1"), "listening")));
afterAll(() => {
  for (const socket of accepted) socket.destroy();
  server.close();
});

/** What arrives of pieces that are written while the socket is corked, which callbacks ran, and how often Node was given several. */
async function sent(pieces: readonly Piece[]) {
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [, socket] = await Promise.all([once(client, "connect"), once(server, "connection").then(([each]) => each as Socket)]);
  writeWhole(socket);
  const { _writev: own } = socket as unknown as { _writev: (...values: unknown[]) => void };
  let gathered = 0;
  Object.assign(socket, {
    _writev(...values: unknown[]) {
      gathered += 1;
      own.apply(this, values);
    },
  });
  const called: number[] = [];
  socket.cork();
  for (const [index, [text, encoding]] of pieces.entries()) socket.write(text as string, encoding, () => called.push(index));
  socket.uncork();
  socket.end();
  const chunks: Buffer[] = [];
  for await (const chunk of client) chunks.push(chunk as Buffer);
  return { text: Buffer.concat(chunks).toString("utf8"), called, gathered, written: socket.bytesWritten };
}

describe("pieces that were gathered arrive as they were written, and each is told of", () => {
  const cases: readonly (readonly [string, readonly Piece[]])[] = [
    [
      "an answer, and the end that Node waits for",
      [
        ["HTTP/1.1 200 OK\r\n\r\nhällo", "utf8"],
        ["", "latin1"],
      ],
    ],
    ["without an encoding", [["hällo 😀"], ["", "latin1"]]],
    [
      "in latin1",
      [
        ["h\u00e4llo", "latin1"],
        ["", "latin1"],
      ],
    ],
    ["bytes first", [[Buffer.from("hällo")], ["", "latin1"]]],
    ["no bytes at the end", [["hällo", "utf8"], [Buffer.alloc(0)]]],
    [
      "an empty one first",
      [
        ["", "latin1"],
        ["hällo", "utf8"],
      ],
    ],
    [
      "two that hold something",
      [
        ["häl", "utf8"],
        ["lo", "latin1"],
      ],
    ],
    ["a head, bytes and the end", [["head", "latin1"], [Buffer.from("hällo")], ["", "latin1"]]],
    [
      "only empty ones",
      [
        ["", "utf8"],
        ["", "latin1"],
      ],
    ],
    ["one", [["hällo", "utf8"]]],
    [
      "a large one",
      [
        ["ä".repeat(300_000), "utf8"],
        ["", "latin1"],
      ],
    ],
  ];
  test.each(cases)("%s", async (_name, pieces) => {
    const { text, called, gathered, written } = await sent(pieces);
    const bytes = Buffer.concat(pieces.map(([piece, encoding]) => Buffer.from(piece as string, encoding)));
    expect(text).toBe(bytes.toString("utf8"));
    expect(called).toEqual(pieces.map((_, index) => index));
    expect(written).toBe(bytes.length);
    expect(gathered).toBe(pieces.length > 1 ? 1 : 0);
  });
});
