import { asError } from "@tsserve/config";
import { wait, type Clock } from "@tsserve/server";

/**
 * What a stop may spend on what is told to the outside last, in milliseconds: spans, errors, the metrics of a job. It is one bound
 * for all of them together, since they are sent at the same time: who takes them, and is away, silent or slow, must not hold the stop.
 */
export const lastReportsMs = 2000;

/**
 * The bound is waited for in so many parts. A process that stood still (a busy machine, a container without its share of a
 * processor) runs its timers before it looks at its sockets: what has come meanwhile, or was about to leave, would be given up. Of a
 * bound in parts, a standstill ends one at most.
 */
const parts = 20;

/** Sends what has not been sent yet. It need not bound itself: what is not done when the time is over is waited for no longer. */
type Send = () => Promise<unknown>;

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
        await send();
      } catch (error) {
        this.#failed(asError(error));
      }
    });
    await Promise.race([Promise.all(sent), this.#waitInParts(done.signal)]);
    done.abort();
  }

  async #waitInParts(done: AbortSignal): Promise<void> {
    for (let part = 0; part < parts && !done.aborted; part++) await wait(this.#clock, lastReportsMs / parts, done);
  }
}
