import { describe, expect, test } from "vitest";
import { makeEvenLots } from "./even-lots.ts";
import { makeLot } from "./rotation.ts";

/** The most of these instants that fall into any window of so many milliseconds. */
function worst(instants: readonly number[], windowMs: number): number {
  const sorted = instants.toSorted((a, b) => a - b);
  let most = 0;
  for (let end = 0, begin = 0; end < sorted.length; end++) {
    while ((sorted[end] as number) - (sorted[begin] as number) >= windowMs) begin++;
    most = Math.max(most, end - begin + 1);
  }
  return most;
}

/** Chance that can be had again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test("lots lie from 0 to 1, and evenly, however many are drawn", () => {
  for (let seed = 1; seed < 50; seed++) {
    for (const count of [10, 100, 1000]) {
      const draw = makeEvenLots(seeded(seed));
      const lots = Array.from({ length: count }, draw);
      expect(Math.min(...lots)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...lots)).toBeLessThan(1);
      // A tenth of the line has a tenth of them, give or take two.
      expect(worst(lots, 0.1)).toBeLessThanOrEqual(count / 10 + 2);
    }
  }
});

describe("connections that began together", () => {
  const [count, openedMs, timeMs] = [5000, 1000, 60_000];

  test.each([0.1, 0.2, 0.5])("do not end together: jitter %d", (jitter) => {
    for (let seed = 1; seed <= 40; seed++) {
      const chance = seeded(seed);
      const lot = makeLot({ maxRequests: 0, maxAgeMs: timeMs, jitter }, makeEvenLots(chance));
      const ends = Array.from({ length: count }, (_, n) => (n / count) * openedMs + lot().maxAgeMs);
      expect(worst(ends, 100)).toBeLessThanOrEqual(1.2 * ((count * 100) / (jitter * timeMs)));
    }
  });

  test("by their number of requests: the numbers are taken in turn", () => {
    const lot = makeLot({ maxRequests: 1000, maxAgeMs: 0, jitter: 0.1 }, makeEvenLots(seeded(7)));
    const drawn = Array.from({ length: count }, () => lot().maxRequests);
    const heaps = new Map<number, number>();
    for (const each of drawn) heaps.set(each, (heaps.get(each) ?? 0) + 1);
    expect(heaps.size).toBeGreaterThanOrEqual(100);
    expect(Math.max(...heaps.values())).toBeLessThanOrEqual(1.2 * (count / 100));
  });
});
