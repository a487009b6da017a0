import { systemClock, wait } from "@tsserve/server";
import type { Subscription } from "./broker.ts";
import { BrokerError } from "./outcome-errors.ts";

/** Kept for undoing the start before a master loses its patience. */
const marginMs = 500;

export interface NamedSubscription {
  readonly consumer: string;
  readonly subscription: Subscription;
  /** Why it could not be had so far. */
  lastError(): Error | undefined;
}

/**
 * Waits until every consumer has its subscription.
 *
 * @throws {BrokerError} as soon as one is refused for good, or when they don't all come within `start_timeout`
 */
export async function firstSubscriptions(subscriptions: readonly NamedSubscription[], startTimeoutMs: number): Promise<void> {
  const done = new AbortController();
  const patienceMs = Math.max(startTimeoutMs - marginMs, startTimeoutMs / 2);
  const waiting = new Set(subscriptions);
  const late = wait(systemClock, patienceMs, done.signal).then(() => {
    if (done.signal.aborted) return;
    const reasons = new Set([...waiting].map(({ lastError }) => lastError()?.message ?? "the broker does not answer"));
    const names = [...waiting].map(({ consumer }) => `"${consumer}"`).join(", ");
    throw new BrokerError("timeout", `no subscription for ${names} within start_timeout: ${[...reasons].join("; ")}`);
  });
  const all = Promise.all(
    subscriptions.map(async (each) => {
      await each.subscription.first;
      waiting.delete(each);
    }),
  );
  try {
    await Promise.race([all, late]);
  } finally {
    done.abort();
  }
}
