import { contentKey } from "./content-key.ts";
import type { Delivery } from "./delivery.ts";
import { messageKey } from "./message-key.ts";
import type { QueueOutcome } from "./queue-metrics.ts";

/** Of one message, or of several that nobody could tell from one another. */
interface Interruption {
  /** How many of its runs the broker has not heard the end of. */
  losses: number;
  /** How many of those nothing has been made of yet. */
  unanswered: number;
  /** How many of those have ended well, and are still to be told. */
  finished: number;
  finishedAtMs: number;
  /** What is still to be done with those that have failed. */
  readonly owed: Owed[];
  /** Those in progress here, though what becomes of them can't be told any more. */
  readonly running: Set<Delivery>;
  readonly waiting: (() => void)[];
}

/** What was to become of a message when the broker took it back. */
export interface Owed {
  readonly outcome: QueueOutcome;
  /** Does it to the delivery by which the message comes again. */
  write(to: Delivery): Promise<void>;
}

/**
 * A message without an id and without a time is only taken for one that was finished while it is among the first that come after
 * the connection was lost: one that is published later may be the same to the letter, and is another one.
 */
const soonMs = 5000;
const mostRecords = 10_000;

/**
 * The messages that were in progress here when the broker took them back: because the connection was lost, as it is when a handler
 * blocks the event loop for longer than two heartbeats, or the channel was. Each comes again, and would run, and end its connection,
 * for ever: a classic queue counts no returns. So what is known here of a message decides what becomes of it when it comes again.
 */
export class InterruptedMessages {
  readonly #records = new Map<string | number, Interruption>();
  readonly #counted = new WeakSet<Delivery>();
  /** A key may be the digest of a whole body, and is asked for several times. */
  readonly #keys = new WeakMap<Delivery, string | number>();
  #resumedAtMs = Number.NEGATIVE_INFINITY;

  readonly #now: () => number;

  /** @param now milliseconds of a clock that is never set */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get size(): number {
    return this.#records.size;
  }

  /** The subscription is gone, while this one was in progress. */
  lost(delivery: Delivery): void {
    if (delivery.isStale) this.#recordOf(delivery)?.running.add(delivery);
  }

  /** The subscription is had again. */
  resumed(): void {
    this.#resumedAtMs = this.#now();
  }

  /** It is done, and the broker could not be told. */
  finished(delivery: Delivery): void {
    const record = this.#recordOf(delivery);
    if (record === undefined) return;
    record.finished += 1;
    record.finishedAtMs = this.#now();
    this.#ended(delivery, record);
  }

  /** It is not done, and what was to become of it can't be told any more. */
  failed(delivery: Delivery, owed?: Owed): void {
    const record = this.#recordOf(delivery);
    if (record === undefined) return;
    if (owed !== undefined) record.owed.push(owed);
    this.#ended(delivery, record);
  }

  knows(delivery: Delivery): boolean {
    return this.#records.size > 0 && this.#records.has(this.#keyOf(delivery));
  }

  /** What was to become of it, should it have failed here: a run that was made counts, whatever became of its connection. */
  takeOwed(delivery: Delivery): Owed | undefined {
    const record = this.#records.get(this.#keyOf(delivery));
    const owed = record?.owed.shift();
    if (record !== undefined && owed !== undefined) record.unanswered = Math.max(0, record.unanswered - 1);
    return owed;
  }

  /** Whether it has come again because of a loss that has not been counted yet: it is by this. */
  takeLoss(delivery: Delivery): boolean {
    const record = this.#records.get(this.#keyOf(delivery));
    if (record === undefined || record.unanswered === 0) return false;
    record.unanswered -= 1;
    return true;
  }

  /** In how many of its runs the connection was lost. */
  lossesOf(delivery: Delivery): number {
    return this.#records.get(this.#keyOf(delivery))?.losses ?? 0;
  }

  /**
   * Whether a message that has come again was finished here; where it still runs here, that is waited for. Each run that was finished
   * stands for one message that is not to run again: of two that are the same to the letter, the other one does.
   */
  async takeFinished(delivery: Delivery): Promise<boolean> {
    const record = this.#records.get(this.#keyOf(delivery));
    if (record === undefined) return false;
    while (record.finished + record.owed.length === 0 && record.running.size > 0)
      await new Promise<void>((resolve) => record.waiting.push(resolve));
    if (delivery.isStale || record.finished === 0) return false;
    const isSoon = this.#now() - Math.max(record.finishedAtMs, this.#resumedAtMs) < soonMs;
    if (delivery.sentAt === undefined && !isSoon) return false;
    record.finished -= 1;
    record.unanswered = Math.max(0, record.unanswered - 1);
    return true;
  }

  /** Each delivery counts once. @returns `undefined` where the broker itself counts what comes back */
  #recordOf(delivery: Delivery): Interruption | undefined {
    if (delivery.recount === undefined) return undefined;
    const key = this.#keyOf(delivery);
    const record = this.#records.get(key) ?? {
      losses: 0,
      unanswered: 0,
      finished: 0,
      finishedAtMs: 0,
      owed: [],
      running: new Set(),
      waiting: [],
    };
    if (!this.#counted.has(delivery)) {
      this.#counted.add(delivery);
      record.losses += 1;
      record.unanswered += 1;
      // What was seen last is forgotten last.
      this.#records.delete(key);
      this.#forgetOldest();
      this.#records.set(key, record);
    }
    return record;
  }

  #forgetOldest(): void {
    if (this.#records.size < mostRecords) return;
    for (const [key, { running }] of this.#records)
      if (running.size === 0) {
        this.#records.delete(key);
        return;
      }
  }

  #keyOf(delivery: Delivery): string | number {
    const known = this.#keys.get(delivery);
    if (known !== undefined) return known;
    const key = messageKey(delivery) ?? contentKey(delivery);
    this.#keys.set(delivery, key);
    return key;
  }

  #ended(delivery: Delivery, record: Interruption): void {
    record.running.delete(delivery);
    for (const wake of record.waiting.splice(0)) wake();
  }
}
