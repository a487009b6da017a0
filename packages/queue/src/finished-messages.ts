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
  readonly #finished = new Set<string>();
  readonly #running = new Map<string, ((isFinished: boolean) => void)[]>();

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
    if (this.#finished.has(key)) return true;
    const waiting = this.#running.get(key);
    return waiting && new Promise((resolve) => waiting.push(resolve));
  }

  begin(key: string): void {
    this.#running.set(key, []);
  }

  end(key: string, isFinished: boolean): void {
    const waiting = this.#running.get(key);
    this.#running.delete(key);
    if (isFinished) this.#remember(key);
    for (const resolve of waiting ?? []) resolve(isFinished);
  }

  #remember(key: string): void {
    this.#finished.add(key);
    if (this.#finished.size <= this.#limit) return;
    const [oldest] = this.#finished;
    if (oldest !== undefined) this.#finished.delete(oldest);
  }
}
