import { describe, expect, test } from "vitest";
import { framed, message, addLater } from "../../../../test/support/thrift.ts";
import { randomOf } from "../../../../test/support/random-idl.ts";
import { BinaryReader } from "../protocol/binary-reader.ts";
import { CompactReader } from "../protocol/compact-reader.ts";
import { headerPartBytes, writeHeaderPart } from "../wire/header-frame.ts";
import { defaultLimits } from "../wire/limits.ts";
import { MessageReader, type MessageSink } from "./message-reader.ts";

const messages = [
  message("binary", "ping"),
  message("compact", "ping"),
  message("binary", "add_later", addLater(1, 2, 3)),
  message("compact", "add_later", addLater(-1, 1 << 20, 3)),
];
const header = (payload: Buffer, protocol: "binary" | "compact"): Buffer => {
  const headers = new Map([["Trace", "1"]]);
  const prefix = Buffer.alloc(headerPartBytes({ headers }));
  writeHeaderPart(prefix, 0, { protocol, flags: 0, sequenceId: 1, headers }, payload.length);
  return Buffer.concat([prefix, payload]);
};
/** Every form of every message. */
const wrapped = messages.flatMap((each, index) => [each, framed(each), header(each, index % 2 === 0 ? "binary" : "compact")]);

/** A sink that keeps what it gets, and may be told to wait. */
class Kept implements MessageSink {
  readonly limits = defaultLimits;
  readonly readers = { binary: new BinaryReader(defaultLimits), compact: new CompactReader(defaultLimits) };
  readonly got: Buffer[] = [];
  room = Number.POSITIVE_INFINITY;

  get mayRead(): boolean {
    return this.got.length < this.room;
  }

  message(form: "unframed" | "framed", _protocol: string, bytes: Buffer, start: number, end: number): void {
    const part = Buffer.from(bytes.subarray(start, end));
    this.got.push(form === "framed" ? framed(part) : part);
  }

  headerFrame(bytes: Buffer, start: number, end: number): void {
    this.got.push(framed(Buffer.from(bytes.subarray(start, end))));
  }
}

/** Feeds bytes in pieces, through memory that is used again, as the server's reads are. */
function feed(reader: MessageReader, bytes: Buffer, random: (below: number) => number, isShared: boolean): void {
  const shared = Buffer.alloc(64 * 1024);
  for (let at = 0; at < bytes.length;) {
    const count = Math.min(1 + random(random(3) === 0 ? 300 : 12), bytes.length - at);
    if (isShared) {
      bytes.copy(shared, 7, at, at + count);
      reader.receive(shared, 7, 7 + count, true);
      shared.fill(0xaa);
    } else reader.receive(Buffer.from(bytes.subarray(at, at + count)), 0, count, false);
    at += count;
  }
}

describe.each([true, false])("messages that come in pieces (shared memory: %s)", (isShared) => {
  test("are cut out of what comes, whatever their forms and the pieces", () => {
    for (let seed = 1; seed <= 150; seed++) {
      const random = randomOf(seed);
      const sent = Array.from({ length: 1 + random(12) }, () => wrapped[random(wrapped.length)] as Buffer);
      const sink = new Kept();
      const reader = new MessageReader(sink);
      feed(reader, Buffer.concat(sent), random, isShared);
      expect(sink.got).toEqual(sent);
      expect(reader.isPartial).toBe(false);
    }
  });

  test("wait while there is no room, and none is lost or comes twice", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = randomOf(seed);
      const sent = Array.from({ length: 20 }, () => wrapped[random(wrapped.length)] as Buffer);
      const sink = new Kept();
      sink.room = random(5);
      const reader = new MessageReader(sink);
      feed(reader, Buffer.concat(sent), random, isShared);
      expect(sink.got).toEqual(sent.slice(0, sink.room));
      while (sink.got.length < sent.length) {
        sink.room += 1 + random(4);
        reader.receive(Buffer.alloc(0), 0, 0, false);
        expect(sink.got).toEqual(sent.slice(0, sink.room));
      }
      expect(reader.isPartial).toBe(false);
    }
  });
});

test("a half of a message is told, since when, and forgotten when it is given up", () => {
  const sink = new Kept();
  const reader = new MessageReader(sink);
  const [whole = Buffer.alloc(0)] = wrapped.slice(1);
  const before = performance.now();
  reader.receive(whole, 0, whole.length - 1, false);
  expect([reader.isPartial, reader.partialSince >= before]).toEqual([true, true]);
  reader.giveUp();
  reader.receive(whole, 0, whole.length, false);
  expect([reader.isPartial, sink.got.length]).toEqual([false, 0]);
});
