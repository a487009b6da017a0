import Int64 from "node-int64";
import { describe, expect, test } from "vitest";
import { randomOf } from "../../../../test/support/random-idl.ts";
import { copied, copyInto } from "./copy.ts";
import { bigintOf, split, splitI64, WireInt64 } from "./int64.ts";
import { mostTextBytes, readText, writeText } from "./text.ts";

const random = randomOf(7);
const longs = [0n, 1n, -1n, 2n ** 31n, -(2n ** 31n), 2n ** 32n, 2n ** 53n - 1n, -(2n ** 53n) + 1n, 2n ** 63n - 1n, -(2n ** 63n)];
for (let count = 0; count < 200; count++)
  longs.push(BigInt.asIntN(64, (BigInt(random(2 ** 31)) << 40n) ^ (BigInt(random(2 ** 31)) << 15n) ^ BigInt(random(2 ** 31))));

describe("an i64", () => {
  test("has the same halves however it is given", () => {
    for (const value of longs) {
      splitI64(value);
      const { high, low } = split;
      expect(bigintOf(high, low)).toBe(value);
      const octets = Buffer.alloc(12);
      octets.writeBigInt64BE(value, 2);
      const given: unknown[] = [new WireInt64(high, low), new Int64(octets, 2), { buffer: octets, offset: 2 }];
      if (Number.isSafeInteger(Number(value))) given.push(Number(value));
      for (const each of given) {
        splitI64(each);
        expect({ ...split }).toEqual({ high, low });
      }
    }
  });

  test("of generated code is an Int64, whose bytes may be changed", () => {
    const wire = new WireInt64(1, 2);
    expect([wire instanceof Int64, wire.isUntouched]).toEqual([true, true]);
    wire.buffer[7] = 9;
    splitI64(wire);
    expect({ ...split }).toEqual({ high: 1, low: 9 });
    expect(wire.isUntouched).toBe(false);
  });

  test.each([2n ** 63n, -(2n ** 63n) - 1n, 2 ** 53, 1.5, Number.NaN, Infinity, "1", null, undefined, {}, { buffer: "x" }, true])(
    "is not %s",
    (value) => expect(() => splitI64(value, "S.a")).toThrow(/^S\.a: expected /),
  );
});

describe("a text", () => {
  const alphabet = ["a", "z", "\u0000", "\u007f", "\u0080", "é", "\u07ff", "日", "\uffff", "😀"];
  const texts = [
    "",
    ...Array.from({ length: 400 }, (_, round) =>
      Array.from({ length: random(40) }, () => alphabet[random(round % 2 === 0 ? 4 : 10)]).join(""),
    ),
  ];

  test("is read as it is written, and as Node writes it", () => {
    for (const text of texts) {
      const bytes = Buffer.alloc(mostTextBytes(text.length) + 10, 0xff);
      const length = writeText(bytes, 5, text);
      expect(bytes.subarray(5, 5 + length)).toEqual(Buffer.from(text));
      expect(bytes.subarray(0, 5).every((byte) => byte === 0xff)).toBe(true);
      expect(readText(bytes, 5, 5 + length)).toBe(text);
    }
  });

  test("that is no UTF-8 is read as Node reads it", () => {
    for (let round = 0; round < 400; round++) {
      const bytes = Buffer.from(Array.from({ length: random(30) }, () => random(256)));
      expect(readText(bytes, 0, bytes.length)).toBe(bytes.toString());
    }
  });
});

test("copies are copies, of any length", () => {
  for (const length of [0, 1, 95, 96, 97, 500]) {
    const bytes = Buffer.from(Array.from({ length: length + 6 }, () => random(256)));
    const copy = copied(bytes, 3, length);
    expect(copy).toEqual(Buffer.from(bytes.subarray(3, 3 + length)));
    const target = Buffer.alloc(length + 4);
    copyInto(target, 2, copy);
    expect(target.subarray(2, 2 + length)).toEqual(copy);
    copy.fill(0);
    expect(target.subarray(2, 2 + length)).toEqual(bytes.subarray(3, 3 + length));
  }
});
