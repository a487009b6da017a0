import { once } from "node:events";
import { connect as connectHttp2, createServer, type ServerHttp2Session } from "node:http2";
import { connect, type AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { endOutside } from "./end-outside.ts";

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const preface = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0, Buffer.alloc(0))]);
const goaway = (code: number): Buffer => frame(7, 0, 0, Buffer.from([0, 0, 0, 0, 0, 0, 0, code]));
const last: readonly [string, Buffer][] = [
  ["HEADERS", frame(1, 5, 1, Buffer.from([0x82, 0x86, 0x84, 0x41, 1, 0x61]))],
  [
    "HEADERS and a wrong frame",
    Buffer.concat([frame(1, 5, 1, Buffer.from([0x82, 0x86, 0x84, 0x41, 1, 0x61])), frame(2, 0, 0, Buffer.alloc(5))]),
  ],
  ["a PING", frame(6, 0, 0, Buffer.alloc(8))],
  ["a WINDOW_UPDATE of nothing", frame(8, 0, 2, Buffer.alloc(4))],
  ["DATA", frame(0, 8, 1, Buffer.alloc(100))],
  ["an unknown frame", frame(236, 5, 7, Buffer.alloc(5))],
  ["another GOAWAY", goaway(0)],
  ["PRIORITY", frame(2, 0, 0, Buffer.alloc(5))],
];

/** What ended the process, as often as not: a session that ends while nghttp2 has yet to refuse what follows. */
const worst = Buffer.concat([
  preface,
  goaway(0),
  frame(1, 5, 1, Buffer.from([0x82, 0x86, 0x84, 0x41, 1, 0x61])),
  frame(8, 0, 2, Buffer.alloc(4)),
  frame(2, 0, 0, Buffer.alloc(5)),
  frame(3, 0, 2 ** 31 - 1, Buffer.alloc(4)),
  frame(236, 5, 7, Buffer.alloc(5)),
  frame(2, 0, 1, Buffer.alloc(4)),
  frame(7, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0])),
  frame(1, 0, 2 ** 31 - 1, Buffer.from([0x82, 0x86, 0x84, 0x41, 1, 0x61])),
  frame(0, 8, 1, Buffer.alloc(100)),
  frame(3, 0, 3, Buffer.from([0, 0, 0, 8])),
]);

test("a hundred of the worst end no process", async () => {
  const server = createServer((_, response) => response.end());
  server.on("session", endOutside);
  server.on("sessionError", () => undefined);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  for (let n = 0; n < 25; n++)
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        const raw = connect(port, "127.0.0.1").on("error", () => undefined);
        raw.write(worst);
        await once(raw.resume(), "data");
        raw.destroy();
      }),
    );
  server.close();
});

describe("a client's GOAWAY with more behind it, in one piece, ends the session, not the process", () => {
  for (const code of [0, 2])
    for (const [what, more] of last)
      test(`code ${code}, ${what}`, async () => {
        const server = createServer((_, response) => response.end());
        server.on("session", endOutside);
        server.on("sessionError", () => undefined);
        await once(server.listen(0, "127.0.0.1"), "listening");
        const { port } = server.address() as AddressInfo;
        const raw = connect(port, "127.0.0.1").on("error", () => undefined);
        raw.write(Buffer.concat([preface, goaway(code), more, more]));
        raw.resume();
        await once(raw, "close");
        const client = connectHttp2(`http://127.0.0.1:${port}`);
        const [head] = (await once(client.request({ ":path": "/" }).resume(), "response")) as [Record<string, unknown>];
        expect(head[":status"]).toBe(200);
        client.destroy();
        server.close();
      });
});

describe("both are done in the next turn where it is a GOAWAY that asks for it and nghttp2 needs it, and at once otherwise", () => {
  const ask = (session: ServerHttp2Session, error: Error): void => {
    session.close();
    session.destroy(error, 2);
  };
  /** Called as the function of Node's that reads a GOAWAY. */
  function onGoawayData(session: ServerHttp2Session, error: Error): void {
    ask(session, error);
  }
  test.each([
    ["1.61.0", onGoawayData, true],
    ["1.67.1", onGoawayData, true],
    ["1.68.0", onGoawayData, false],
    ["1.70.0", onGoawayData, false],
    ["2.0.0", onGoawayData, false],
    ["1.61.0", ask, false],
  ])("nghttp2 %s", async (version, caller, isLater) => {
    const done: unknown[][] = [];
    const session = {
      close: (...args: unknown[]) => void done.push(["close", ...args]),
      destroy: (...args: unknown[]) => void done.push(["destroy", ...args]),
    } as unknown as ServerHttp2Session;
    endOutside(session, version);
    const error = new Error("it ends");
    caller(session, error);
    expect(done.length).toBe(isLater ? 0 : 2);
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).toEqual([["close"], ["destroy", error, 2]]);
  });
});
