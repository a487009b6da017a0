import { systemClock, wait } from "@tsserve/server";
import type { Logger } from "pino";
import { backOff } from "./back-off.ts";
import type { Delivery } from "./delivery.ts";
import type { FinishedMessages } from "./finished-messages.ts";
import type { InterruptedMessages, Owed } from "./interrupted-messages.ts";
import type { QueueMetrics, QueueOutcome } from "./queue-metrics.ts";
import type { Turns } from "./turns.ts";

/** How long a failed message is held while neither its retry nor its dead letter can be written. */
const holdFailedMs = 60_000;

export interface LeavingParts {
  readonly turns: Turns;
  readonly finished: FinishedMessages;
  readonly interrupted: InterruptedMessages;
  readonly log: Logger;
  readonly metrics: QueueMetrics | undefined;
  /** Aborts when what can't leave in another way is to go back. */
  readonly returning: AbortSignal;
  /** Called when the turn of others may have come. */
  onLeft(): void;
}

/** How messages leave a consumer; where that takes time, those that are on their way out. */
export class Leaving {
  readonly #parts: LeavingParts;
  readonly #onTheirWay = new Set<Promise<void>>();
  readonly #writing = new Set<Delivery>();

  constructor(parts: LeavingParts) {
    this.#parts = parts;
  }

  /** How many are on their way. */
  get size(): number {
    return this.#onTheirWay.size;
  }

  /** Those whose retry or dead letter is being written. */
  get writing(): Iterable<Delivery> {
    return this.#writing;
  }

  /** Waits for what takes time. What it throws is a fault of ours, and told. */
  track(work: Promise<void>): void {
    const { log, onLeft } = this.#parts;
    const tracked = work
      .catch((err: unknown) => log.error({ err }, "a message could not be settled"))
      .finally(() => {
        this.#onTheirWay.delete(tracked);
        onLeft();
      });
    this.#onTheirWay.add(tracked);
  }

  acknowledge(delivery: Delivery, key: number | undefined): void {
    const heard = delivery.acknowledge();
    if (typeof heard === "boolean") this.settled(delivery, key, heard ? "ack" : "stale", true);
    else {
      if (key !== undefined) this.#parts.finished.leaves(key);
      this.track(heard.then((isHeard) => this.settled(delivery, key, isHeard ? "ack" : "stale", true)));
    }
  }

  /** Back to its queue. */
  giveBack(delivery: Delivery, outcome: QueueOutcome = "returned"): void {
    const given = delivery.giveBack();
    if (given !== undefined) this.track(given);
    this.settled(delivery, undefined, outcome, false);
  }

  /** Writes a retry or a dead letter. While that can't be done, the message is held: it is never acknowledged without. */
  async write(delivery: Delivery, key: number | undefined, outcome: QueueOutcome, write: Owed["write"]): Promise<void> {
    this.#writing.add(delivery);
    try {
      await this.#writeOrHold(delivery, key, outcome, write);
    } finally {
      this.#writing.delete(delivery);
    }
  }

  async #writeOrHold(delivery: Delivery, key: number | undefined, outcome: QueueOutcome, write: Owed["write"]): Promise<void> {
    const { log, returning, finished, interrupted } = this.#parts;
    if (key !== undefined) finished.leaves(key);
    const giveUpAt = performance.now() + holdFailedMs;
    for (let failures = 0; ; failures += 1) {
      if (delivery.isStale) {
        interrupted.failed(delivery, { outcome, write });
        return this.settled(delivery, key, "stale", false);
      }
      try {
        await write(delivery);
        return this.settled(delivery, key, outcome, outcome !== "retry" || delivery.isCopiedForRetry);
      } catch (err) {
        if (failures === 0) log.error({ err, message_id: delivery.id }, `the ${outcome} of a message can't be written yet: it is held`);
      }
      await wait(systemClock, backOff(failures), returning);
      if (returning.aborted) {
        if (key !== undefined) finished.end(key, false);
        return this.giveBack(delivery);
      }
      if (performance.now() < giveUpAt) continue;
      await delivery.fail();
      return this.settled(delivery, key, "returned", false);
    }
  }

  /** It has left. @param isFinished whether it is not to be handled, should it come again */
  settled(delivery: Delivery, key: number | undefined, outcome: QueueOutcome, isFinished: boolean): void {
    const { finished, interrupted, turns, metrics, onLeft } = this.#parts;
    if (!isFinished && delivery.isStale) interrupted.failed(delivery);
    if (key !== undefined) finished.end(key, isFinished);
    if (turns.freeGroup(delivery)) onLeft();
    metrics?.left(outcome);
  }
}
