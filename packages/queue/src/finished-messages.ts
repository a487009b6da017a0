import { NumberSet } from "./number-set.ts";

/** What runs, with the key of its message. */
interface Keyed {
  readonly key: number | undefined;
}

/**
 * The messages that this process has begun or finished, so that one whose acknowledgement was lost is not handled again:
 * AMQP confirms no acknowledgement, and those on their way when a connection breaks are gone. Messages are known by `messageKey`.
 */
export class FinishedMessages {
  readonly #limit: number;
  readonly #running: Iterable<Keyed>;
  /** The last ones, and those before them: dropping the oldest of one set, again and again, gets slower with each that it has dropped. */
  #recent: NumberSet;
  #older: NumberSet;
  /** Those that don't run any more, and have not left yet. */
  readonly #leaving = new Set<number>();
  readonly #waiting = new Map<number, ((isFinished: boolean) => void)[]>();

  /**
   * @param limit at least so many are remembered, at most twice as many
   * @param running what runs now: looked through only when a message is looked for, which is seldom
   */
  constructor(limit: number, running: Iterable<Keyed>) {
    this.#limit = limit;
    this.#running = running;
    this.#recent = new NumberSet(limit);
    this.#older = new NumberSet(limit);
  }

  /** What became of this message here: finished, or a promise of whether it will be; `undefined` when it was never here. */
  find(key: number): true | Promise<boolean> | undefined {
    if (this.#recent.has(key) || this.#older.has(key)) return true;
    if (!this.#leaving.has(key) && !this.#runs(key)) return undefined;
    return new Promise((resolve) => this.#waiting.set(key, [...(this.#waiting.get(key) ?? []), resolve]));
  }

  /** It does not run any more; what became of it takes a moment. */
  leaves(key: number): void {
    this.#leaving.add(key);
  }

  end(key: number, isFinished: boolean): void {
    if (this.#leaving.size > 0) this.#leaving.delete(key);
    if (isFinished) this.#remember(key);
    if (this.#waiting.size === 0) return;
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return;
    this.#waiting.delete(key);
    for (const resolve of waiting) resolve(isFinished);
  }

  #runs(key: number): boolean {
    for (const run of this.#running) if (run.key === key) return true;
    return false;
  }

  #remember(key: number): void {
    this.#recent.add(key);
    if (this.#recent.size < this.#limit) return;
    const oldest = this.#older;
    this.#older = this.#recent;
    this.#recent = oldest;
    oldest.clear();
  }
}
