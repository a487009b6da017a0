import { createRequire } from "node:module";
import { expect, test } from "vitest";

// A CommonJS module of TypeScript's, which Vite does not take.
const { samplingIntervalUs } = createRequire(import.meta.url)("../../dist/stacks/sampling-interval.cjs") as {
  samplingIntervalUs(ms: number): number;
};

test.each([
  [1, 1000],
  [500, 1000],
  [10_000, 1000],
  [100_000, 1000],
  [100_001, 1001],
  [600_000, 6000],
  [3_600_000, 36_000],
])("a profile of %s ms is sampled each %s µs", (ms, us) => {
  expect(samplingIntervalUs(ms)).toBe(us);
});

test("none has more than a hundred thousand samples, and the interval is a whole number", () => {
  for (let ms = 1; ms <= 3_600_000; ms = Math.ceil(ms * 1.7)) {
    const us = samplingIntervalUs(ms);
    expect(Number.isInteger(us)).toBe(true);
    expect((ms * 1000) / us).toBeLessThanOrEqual(100_000);
  }
});
