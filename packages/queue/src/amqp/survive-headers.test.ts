import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { surviveHeaders, UnreadableProperties, type FrameReader } from "./survive-headers.ts";

// What reads is amqplib's own connection, which it does not export.
const require = createRequire(import.meta.url);
const { Connection } = require(join(dirname(require.resolve("amqplib")), "lib/connection.js")) as {
  Connection: new (stream: PassThrough) => FrameReader;
};

const short = (length: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(length);
  return bytes;
};
const long = (length: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
};
function frame(type: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type]), short(3), long(payload.length), payload, Buffer.from([0xce])]);
}

/** A content header of these headers, for a body of 5 bytes. */
const header = (headers: Buffer): Buffer => frame(2, Buffer.concat([short(60), short(0), long(0), long(5), short(0x2000), headers]));

/** Tables within tables, each with one field `a`. */
function nested(depth: number): Buffer {
  const start = Buffer.from("\x01aF");
  const bytes = Buffer.alloc(4 + depth * 7);
  for (let level = 0; level <= depth; level += 1) {
    bytes.writeUInt32BE((depth - level) * 7, level * 7);
    if (level < depth) start.copy(bytes, level * 7 + 4);
  }
  return bytes;
}
const ofUnknownType = Buffer.concat([long(3), Buffer.from("\x01a?")]);
const body = frame(3, Buffer.from("hello"));

function made(): { reader: FrameReader; stream: PassThrough; read(): unknown[] } {
  const stream = new PassThrough();
  const reader = new Connection(stream);
  surviveHeaders(reader);
  const read = (): unknown[] => {
    const frames: unknown[] = [];
    for (let next = reader.recvFrame(); next !== false; next = reader.recvFrame()) frames.push(next);
    return frames;
  };
  return { reader, stream, read };
}

describe.each([
  ["nested too deep", nested(15_000)],
  ["of a type that nobody knows", ofUnknownType],
])("headers %s", (_, headers) => {
  test("are no properties, and what comes after them is read", () => {
    const { stream, read } = made();
    stream.write(Buffer.concat([header(headers), body, header(nested(3)), body]));
    const content = { channel: 3, content: Buffer.from("hello") };
    expect(read()).toEqual([
      { id: 60, channel: 3, size: 5, fields: expect.any(UnreadableProperties) },
      content,
      { id: 60, channel: 3, size: 5, fields: expect.objectContaining({ headers: { a: { a: { a: {} } } } }) },
      content,
    ]);
  });

  test("however they come in pieces", () => {
    const whole = Buffer.concat([header(headers), body]);
    for (const cut of [1, 6, 7, 8, 20, header(headers).length - 1, header(headers).length, whole.length - 1]) {
      const { stream, read } = made();
      stream.write(whole.subarray(0, cut));
      const first = read();
      stream.write(whole.subarray(cut));
      expect([...first, ...read()]).toMatchObject([{ size: 5, fields: expect.any(UnreadableProperties) }, { channel: 3 }]);
    }
  });
});

test("what is no frame is an error as before, also where a header had begun", () => {
  const broken = header(nested(1));
  broken[broken.length - 1] = 0;
  for (const cut of [0, 4, 20]) {
    const { stream, read } = made();
    stream.write(broken.subarray(0, cut));
    read();
    stream.write(broken.subarray(cut));
    expect(read).toThrow("Invalid frame");
  }
});

test("a method that can't be read is an error as before; and of another library nothing is expected", () => {
  const { stream, read } = made();
  stream.write(frame(1, Buffer.alloc(4, 0xff)));
  expect(read).toThrow();
  expect(() => surviveHeaders({})).not.toThrow();
});
