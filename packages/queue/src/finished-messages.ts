import type { Delivery } from "./delivery.ts";

const sampledBytes = 32;

/**
 * The messages that this process has begun or finished, so that one whose acknowledgement was lost is not handled again:
 * AMQP confirms no acknowledgement, and those on their way when a connection breaks are gone.
 *
 * Ids are the publishers' own, and some name every message alike: a message counts as the same only when its length, its
 * time and samples of its bytes are the same, too.
 */
export class FinishedMessages {
  readonly #limit: number;
  /** The last ones, and those before them: dropping the oldest of one set, again and again, gets slower with each that it has dropped. */
  #recent = new Set<string>();
  #older: ReadonlySet<string> = new Set();
  readonly #running = new Map<string, ((isFinished: boolean) => void)[] | undefined>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** `undefined` where a message has no id. */
  keyOf({ id, bytes, failures, isCopiedForRetry, sentAt }: Delivery): string | undefined {
    if (id === undefined) return undefined;
    const { length } = bytes;
    const head = bytes.toString("latin1", 0, sampledBytes);
    const tail = bytes.toString("latin1", Math.max(0, length - sampledBytes), length);
    return `${id}\0${isCopiedForRetry ? failures : 0}\0${length}\0${sentAt?.getTime()}\0${head}\0${tail}`;
  }

  /** What became of this message here: finished, or a promise of whether it will be; `undefined` when it was never here. */
  find(key: string): true | Promise<boolean> | undefined {
    if (this.#recent.has(key) || this.#older.has(key)) return true;
    if (!this.#running.has(key)) return undefined;
    return new Promise((resolve) => this.#running.set(key, [...(this.#running.get(key) ?? []), resolve]));
  }

  begin(key: string): void {
    this.#running.set(key, undefined);
  }

  end(key: string, isFinished: boolean): void {
    const waiting = this.#running.get(key);
    this.#running.delete(key);
    if (isFinished) this.#remember(key);
    if (waiting !== undefined) for (const resolve of waiting) resolve(isFinished);
  }

  #remember(key: string): void {
    this.#recent.add(key);
    if (this.#recent.size < this.#limit) return;
    this.#older = this.#recent;
    this.#recent = new Set();
  }
}
