import { expect, test } from "vitest";
import { NumberSet } from "./number-set.ts";

test("whatever is added, and nothing else, is in it, until it is emptied", () => {
  for (const limit of [1, 2, 3, 10, 1000]) {
    const [set, expected] = [new NumberSet(limit), new Set<number>()];
    for (let round = 0; round < 3; round += 1) {
      for (let n = 0; n < limit; n += 1) {
        const value = Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
        set.add(value);
        set.add(value);
        expected.add(value);
      }
      expect(set.size).toBe(expected.size);
      for (const value of expected) expect(set.has(value)).toBe(true);
      for (let n = 0; n < 100; n += 1) {
        const value = Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
        expect(set.has(value)).toBe(expected.has(value));
      }
      set.clear();
      for (const value of expected) expect(set.has(value)).toBe(false);
      expected.clear();
    }
  }
});

test("numbers that share a place are told apart", () => {
  const set = new NumberSet(4);
  const same = [0, 8, 16, 2 ** 32, 2 ** 52];
  for (const value of same.slice(0, 4)) set.add(value);
  expect(same.map((value) => set.has(value))).toEqual([true, true, true, true, false]);
});
