import { expect, test } from "vitest";
import { processWallTime, wallTime } from "./wall-time.ts";

/** Two clocks that run alike until the one is set. */
function clocks(began: number): { setMs: number; ms: number; wall(): number; steady(): number } {
  return {
    setMs: 0,
    ms: 0,
    wall() {
      return Math.floor(began + this.ms + this.setMs);
    },
    steady() {
      return this.ms;
    },
  };
}

const began = 1_800_000_000_000.25;

test("a clock that nobody sets: the fine steps are kept, and none goes back", () => {
  const both = clocks(began);
  const timeOf = wallTime({ wall: () => both.wall(), steady: () => both.steady() }, began);
  let last = 0;
  for (let n = 0; n < 5000; n++) {
    both.ms += 0.37;
    const time = timeOf(both.ms);
    expect(time).toBe(began + both.ms);
    expect(time).toBeGreaterThan(last);
    last = time;
  }
});

test.each([-86_400_000, -3_600_000, -50, 50, 3_600_000, 86_400_000])("a clock that is set by %d ms is followed, and back", (setMs) => {
  const both = clocks(began);
  const timeOf = wallTime({ wall: () => both.wall(), steady: () => both.steady() }, began);
  for (const each of [0, setMs, 0, setMs, 2 * setMs]) {
    both.setMs = each;
    for (let n = 0; n < 10; n++) {
      both.ms += 7.3;
      expect(Math.abs(timeOf(both.ms) - both.wall())).toBeLessThanOrEqual(2);
      // How long something took does not change by it.
      expect(timeOf(both.ms) - timeOf(both.ms - 5)).toBeCloseTo(5, 3);
    }
  }
});

test("a clock that runs at another rate is followed", () => {
  const both = clocks(began);
  const timeOf = wallTime({ wall: () => both.wall(), steady: () => both.steady() }, began);
  for (let n = 0; n < 100_000; n++) {
    both.ms += 100;
    both.setMs += 0.05;
    expect(Math.abs(timeOf(both.ms) - both.wall())).toBeLessThanOrEqual(4);
  }
});

test("this process's own says when it is", () => {
  const timeOf = processWallTime();
  const before = Date.now();
  const time = timeOf(performance.now());
  expect(time).toBeGreaterThan(before - 4);
  expect(time).toBeLessThan(Date.now() + 4);
});
