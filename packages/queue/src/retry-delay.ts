import type { RetryPolicy } from "./consumer-definition.ts";
import { millisecondsOf } from "./milliseconds.ts";
import { isNamed } from "./outcome-errors.ts";

/**
 * How long a failed message waits for its next run: as its `RetryMessage` says, else as the consumer's delays have it.
 *
 * @param failures how many of its runs have failed, from 1 on
 * @param onUnreadable called with what is wrong with a `RetryMessage` whose `after` is no time: the consumer's own delay is taken
 */
export function retryDelay(error: unknown, failures: number, { delaysMs }: RetryPolicy, onUnreadable: (error: unknown) => void): number {
  const usual = delaysMs[Math.min(failures, delaysMs.length) - 1] ?? 0;
  if (!isNamed(error, "RetryMessage")) return usual;
  try {
    return error.after === undefined ? usual : millisecondsOf(error.after);
  } catch (cause) {
    onUnreadable(cause);
    return usual;
  }
}

/** How many retries a message has: its publisher may have set fewer than the consumer allows. */
export function retryLimit({ limit }: RetryPolicy, ofMessage: number | undefined): number {
  return ofMessage === undefined ? limit : Math.min(limit, ofMessage);
}
