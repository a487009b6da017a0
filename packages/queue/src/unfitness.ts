import type { ConsumerDefinition, RetryPolicy } from "./consumer-definition.ts";
import type { DeadReason, Delivery } from "./delivery.ts";

/** How often a message may come back without a word, at least, before it is taken for one that kills its workers. */
const toleratedRedeliveries = 5;

/** Why a message is a dead letter before anybody has seen it. */
export interface Unfitness {
  readonly reason: DeadReason;
  readonly error: Error;
}

/** @returns `undefined` for a message that may be handled */
export function unfitness(
  delivery: Delivery,
  { maxMessageBytes, retry }: Pick<ConsumerDefinition, "maxMessageBytes" | "retry">,
): Unfitness | undefined {
  const { bytes, expiresAt, redeliveries, unreadable } = delivery;
  if (bytes.length > maxMessageBytes)
    return { reason: "oversized", error: new RangeError(`the message has ${bytes.length} bytes; max_message_size is ${maxMessageBytes}`) };
  if (unreadable !== undefined)
    return {
      reason: "unparseable",
      error: new Error(`the headers of the message can't be read: ${unreadable.message}`, { cause: unreadable }),
    };
  if (expiresAt !== undefined && expiresAt < Date.now())
    return { reason: "expired", error: new Error(`the message expired at ${dateOf(expiresAt)} (x-ttl)`) };
  return hopelessness(redeliveries, retry);
}

/** @param redeliveries how often a message came back without a word */
export function hopelessness(redeliveries: number, retry: RetryPolicy): Unfitness | undefined {
  if (redeliveries <= Math.max(retry.limit, toleratedRedeliveries)) return undefined;
  const error = new Error(`the message was handed out ${redeliveries + 1} times, and no worker has said what became of it`);
  return { reason: "crashed", error };
}

/** A publisher may write any number: `Date` has no text for those beyond its range. */
function dateOf(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms / 1000} seconds after 1970` : date.toISOString();
}
