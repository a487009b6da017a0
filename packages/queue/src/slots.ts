/** The places for handlers that all consumers of a process share. */
export class Slots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  take(): boolean {
    if (this.#free === 0) return false;
    this.#free -= 1;
    return true;
  }

  giveBack(): void {
    this.#free += 1;
    if (this.#waiting.size === 0) return;
    // Who has waited longest comes first, and queues anew when there is not enough for all that it has.
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    next();
  }

  /** Calls back once when there is a free place. */
  whenFree(callback: () => void): void {
    this.#waiting.add(callback);
  }
}
