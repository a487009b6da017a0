import { expect, test } from "vitest";
import { messageBytes } from "./message-bytes.ts";
import { millisecondsOf } from "./milliseconds.ts";

test.each([
  [{ a: "ä" }, '{"a":"ä"}', "application/json"],
  ["text", '"text"', "application/json"],
  [null, "null", "application/json"],
  [0, "0", "application/json"],
  [Buffer.from("raw"), "raw", "application/octet-stream"],
  [new Uint8Array(Buffer.from("xrawx").buffer.slice(0, 0)), "", "application/octet-stream"],
])("%j is sent as %s", (data, text, contentType) => {
  const { bytes, contentType: type } = messageBytes(data);
  expect([bytes.toString(), type]).toEqual([text, contentType]);
});

test("a part of a larger buffer is sent alone, and not copied", () => {
  const whole = new Uint8Array([1, 2, 3, 4]);
  const { bytes } = messageBytes(whole.subarray(1, 3));
  expect([[...bytes], bytes.buffer === whole.buffer]).toEqual([[2, 3], true]);
});

test.each([undefined, () => 1, Symbol("s"), 5n, { a: 5n }])("what JSON can't say is refused: %#", (data) => {
  expect(() => messageBytes(data)).toThrow(TypeError);
});

test.each([
  [0, 0],
  [1.5, 1.5],
  ["10 seconds", 10_000],
  ["2 minutes", 120_000],
])("the time %j is %d ms", (value, ms) => expect(millisecondsOf(value)).toBe(ms));

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, "soon", "", "5", null, undefined, {}, 5n])("%# is no time", (value) => {
  expect(() => millisecondsOf(value)).toThrow(/^expected a number/);
});
