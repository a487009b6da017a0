import { expect, test } from "vitest";
import { makeLot } from "./rotation.ts";

test("a lot shortens, by the jitter at most, and never below one request", () => {
  for (const random of [0, 0.25, 0.5, 0.999]) {
    for (const maxRequests of [1, 2, 10, 1000]) {
      const lot = makeLot({ maxRequests, maxAgeMs: 60_000, jitter: 0.2 }, () => random)();
      expect(lot.maxRequests).toBeGreaterThanOrEqual(Math.max(1, maxRequests * 0.8));
      expect(lot.maxRequests).toBeLessThanOrEqual(maxRequests);
      expect(Number.isInteger(lot.maxRequests)).toBe(true);
      expect(lot.maxAgeMs).toBeGreaterThanOrEqual(48_000);
      expect(lot.maxAgeMs).toBeLessThanOrEqual(60_000);
    }
  }
});

test("0 is no limit, and no jitter is none", () => {
  expect(makeLot({ maxRequests: 0, maxAgeMs: 0, jitter: 1 }, () => 0.5)()).toEqual({ maxRequests: Infinity, maxAgeMs: Infinity });
  expect(makeLot({ maxRequests: 7, maxAgeMs: 100, jitter: 0 }, () => 0.9)()).toEqual({ maxRequests: 7, maxAgeMs: 100 });
});
