import type { Cause } from "./events.ts";

/** Where every reason to stop comes in, in order; nothing that comes while nobody looks is lost. */
export class Causes {
  readonly #causes: Cause[] = [];
  readonly #listeners = new Set<(cause: Cause, index: number) => void>();

  /** The reason that came first. */
  readonly first: Promise<Cause>;

  constructor() {
    this.first = new Promise((resolve) => {
      this.#listeners.add((cause, index) => {
        if (index === 0) resolve(cause);
      });
    });
  }

  /** The reason that came first, if one has come by now. */
  get earliest(): Cause | undefined {
    return this.#causes[0];
  }

  /** Whether one of those that have come by now is such. */
  some(isSuch: (cause: Cause) => boolean): boolean {
    return this.#causes.some(isSuch);
  }

  add(cause: Cause): void {
    const index = this.#causes.push(cause) - 1;
    for (const listener of this.#listeners) listener(cause, index);
  }

  /** Calls back for each cause after the first, also for those that came before the call. */
  onLater(listener: (cause: Cause) => void): void {
    for (const cause of this.#causes.slice(1)) listener(cause);
    this.#listeners.add((cause, index) => {
      if (index > 0) listener(cause);
    });
  }
}
