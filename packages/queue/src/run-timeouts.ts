import type { QueueRun } from "./queue-run.ts";

/** Looks at the runs of a consumer every now and then: a timer for each would cost more than most handlers. */
export class RunTimeouts {
  readonly #runs: Iterable<QueueRun>;
  readonly #timeoutMs: number;
  readonly #onOverdue: (run: QueueRun, error: Error) => void;
  #sweep: NodeJS.Timeout | undefined;

  /** @param onOverdue called for a run that has taken longer, whose `signal` has been aborted by then */
  constructor(runs: Iterable<QueueRun>, timeoutMs: number, onOverdue: (run: QueueRun, error: Error) => void) {
    this.#runs = runs;
    this.#timeoutMs = timeoutMs;
    this.#onOverdue = onOverdue;
  }

  /** From the first run on; it does not keep the process alive. */
  watch(): void {
    if (this.#sweep !== undefined) return;
    this.#sweep = setInterval(() => this.#look(), Math.max(10, Math.min(1000, this.#timeoutMs / 10)));
    this.#sweep.unref();
  }

  stop(): void {
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  #look(): void {
    const begunBefore = performance.now() - this.#timeoutMs;
    for (const run of this.#runs) {
      if (run.startedAt > begunBefore) continue;
      const error = new Error(`the handler took longer than message_timeout, ${this.#timeoutMs} ms`);
      run.abort(error);
      this.#onOverdue(run, error);
    }
  }
}
