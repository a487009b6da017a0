/** How often something may happen: so many times at once, and so many more with each second. */
export interface BudgetLimits {
  readonly burst: number;
  readonly perSecond: number;
}

/** Counts what a client may do for nothing, such as taking back what it asked for, against how often an honest one does. */
export class Budget {
  readonly #limits: BudgetLimits;
  #left: number;
  #countedAt: number;

  /** @param now in milliseconds */
  constructor(limits: BudgetLimits, now: number) {
    this.#limits = limits;
    this.#left = limits.burst;
    this.#countedAt = now;
  }

  /** @returns whether it was still within the limits */
  spend(now: number): boolean {
    const { burst, perSecond } = this.#limits;
    this.#left = Math.min(burst, this.#left + ((now - this.#countedAt) / 1000) * perSecond);
    this.#countedAt = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
