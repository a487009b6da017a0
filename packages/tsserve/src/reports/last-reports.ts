import { asError } from "@tsserve/config";
import { wait, type Clock } from "@tsserve/server";

/**
 * What a stop may spend on what is told to the outside last, in milliseconds: spans, errors, the metrics of a job. It is one bound
 * for all of them together, since they are sent at the same time: who takes them, and is away, silent or slow, must not hold the stop.
 */
export const lastReportsMs = 2000;

/** Sends what has not been sent yet; what is not done after so many milliseconds is waited for no longer. */
type Send = (timeoutMs: number) => Promise<unknown>;

/** What is still to be told to others when all else of the process has ended. */
export class LastReports {
  readonly #senders: Send[] = [];
  readonly #clock: Clock;
  readonly #failed: (error: Error) => void;

  /** @param failed is told of what a sender rejects with */
  constructor(clock: Clock, failed: (error: Error) => void) {
    this.#clock = clock;
    this.#failed = failed;
  }

  add(send: Send): void {
    this.#senders.push(send);
  }

  /** Sends all at once, and resolves when the last is done, or the time is over. Never rejects: the end of the process is decided by then. */
  async send(): Promise<void> {
    const senders = this.#senders.splice(0);
    if (senders.length === 0) return;
    const done = new AbortController();
    const sent = senders.map(async (send) => {
      try {
        await send(lastReportsMs);
      } catch (error) {
        this.#failed(asError(error));
      }
    });
    await Promise.race([Promise.all(sent), wait(this.#clock, lastReportsMs, done.signal)]);
    done.abort();
  }
}
