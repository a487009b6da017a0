import { expect, test } from "vitest";
import { backOff } from "./back-off.ts";

test("waits grow to 3 seconds at most, for ever, and never stand still", () => {
  const longest = Array.from({ length: 2000 }, (_, failures) => backOff(failures, () => 1));
  const shortest = Array.from({ length: 2000 }, (_, failures) => backOff(failures, () => 0));
  expect(longest.slice(0, 6)).toEqual([100, 200, 400, 800, 1600, 3000]);
  expect(Math.max(...longest)).toBe(3000);
  expect(Math.min(...shortest)).toBe(50);
  for (const [index, ms] of longest.entries()) expect(shortest[index]).toBe(ms / 2);
});
