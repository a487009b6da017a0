import { expect, test } from "vitest";
import { headerCount, headerNumber } from "./header-number.ts";

test.each<[unknown, number | undefined]>([
  [3, 3],
  [-2.5, -2.5],
  [3n, 3],
  ["3", 3],
  [" 1700000000.5 ", 1_700_000_000.5],
  [Buffer.from("3"), 3],
  [new Uint8Array([0x34]), 4],
  [{ "!": "timestamp", value: 1_700_000_000 }, 1_700_000_000],
  [{ "!": "decimal", value: { digits: 12_345, places: 2 } }, 123.45],
  [{ "!": "decimal", value: 5 }, undefined],
  [{ "!": "decimal", value: null }, undefined],
  [{ "!": "timestamp", value: { "!": "timestamp", value: {} } }, undefined],
  [{ value: 3 }, undefined],
  ["", undefined],
  [" ", undefined],
  ["many", undefined],
  ["0x10", undefined],
  ["3 times", undefined],
  [Number.NaN, undefined],
  [Number.POSITIVE_INFINITY, undefined],
  [null, undefined],
  [undefined, undefined],
  [true, undefined],
  [[3], undefined],
])("%o is the number %s", (value, number) => expect(headerNumber(value)).toBe(number));

test.each<[unknown, number]>([
  [2, 2],
  ["2", 2],
  [2.7, 2],
  [-3, 0],
  ["many", 0],
  [undefined, 0],
])("%o counts as %i", (value, count) => expect(headerCount(value)).toBe(count));
