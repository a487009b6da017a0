import type { MessageFigures } from "@tsserve/master";
import type { Meter } from "@tsserve/server";

interface Totals {
  readonly left: number;
  readonly retries: number;
  readonly dead: number;
  readonly lagSum: number;
  readonly lagCount: number;
}

/**
 * Says of a worker what its messages are like, from its metrics.
 *
 * @returns asked once in a while; gives `undefined` for a worker that consumes nothing
 */
export function messageFigures(meter: Meter | undefined, now: () => number = () => performance.now()): () => MessageFigures | undefined {
  let last = { totals: totalsOf(meter), at: now() };
  return () => {
    const [totals, at] = [totalsOf(meter), now()];
    if (totals === undefined) return undefined;
    const before = last.totals ?? { left: 0, retries: 0, dead: 0, lagSum: 0, lagCount: 0 };
    const seconds = Math.max(0.001, (at - last.at) / 1000);
    last = { totals, at };
    const begun = totals.lagCount - before.lagCount;
    return {
      perSecond: rounded(Math.max(0, totals.left - before.left) / seconds),
      lagSeconds: begun > 0 ? rounded(Math.max(0, totals.lagSum - before.lagSum) / begun) : undefined,
      retriesTotal: totals.retries,
      deadTotal: totals.dead,
    };
  };
}

function totalsOf(meter: Meter | undefined): Totals | undefined {
  if (meter === undefined) return undefined;
  let consumes = false;
  let [left, retries, dead, lagSum, lagCount] = [0, 0, 0, 0, 0];
  for (const { family, labels, cell, cells } of meter.series) {
    if (family.name === "queue_consumer_messages_total") {
      const value = meter.values[cell] as number;
      left += value;
      if (labels["queue_outcome"] === "retry") retries += value;
      if (labels["queue_outcome"] === "dead") dead += value;
    } else if (family.name === "queue_consumer_lag_seconds") {
      consumes = true;
      // Its cells are the buckets, and then the sum.
      for (let bucket = 0; bucket < cells - 1; bucket += 1) lagCount += meter.values[cell + bucket] as number;
      lagSum += meter.values[cell + cells - 1] as number;
    }
  }
  return consumes ? { left, retries, dead, lagSum, lagCount } : undefined;
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
