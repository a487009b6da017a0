import { describe, expect, test } from "vitest";
import { Budget } from "./budget.ts";

describe("a budget", () => {
  test("takes the burst at once, and not one more", () => {
    const budget = new Budget({ burst: 3, perSecond: 10 }, 0);
    expect([0, 0, 0, 0, 0].map((now) => budget.spend(now))).toEqual([true, true, true, false, false]);
  });

  test("fills again with time, never above the burst", () => {
    const budget = new Budget({ burst: 2, perSecond: 10 }, 0);
    expect([0, 0, 50, 100, 100].map((now) => budget.spend(now))).toEqual([true, true, false, true, false]);
    expect([60_000, 60_000, 60_000].map((now) => budget.spend(now))).toEqual([true, true, false]);
  });

  test("whoever keeps to the rate never runs out, for hours", () => {
    const budget = new Budget({ burst: 5, perSecond: 20 }, 0);
    let refused = 0;
    for (let now = 0; now < 3_600_000; now += 50) if (!budget.spend(now)) refused += 1;
    expect(refused).toBe(0);
  });

  test("whoever is ten times as fast gets no more than the rate", () => {
    const budget = new Budget({ burst: 5, perSecond: 20 }, 0);
    let taken = 0;
    for (let now = 0; now < 10_000; now += 5) if (budget.spend(now)) taken += 1;
    expect(taken).toBeGreaterThanOrEqual(200);
    expect(taken).toBeLessThanOrEqual(205);
  });
});
