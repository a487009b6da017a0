import type { Logger } from "pino";
import type { Delivery } from "./delivery.ts";
import type { FinishedMessages } from "./finished-messages.ts";
import type { Leaving } from "./leaving.ts";
import { messageKey } from "./message-key.ts";
import type { QueueMetrics } from "./queue-metrics.ts";
import type { Turns } from "./turns.ts";

export interface RedeliveriesParts {
  readonly turns: Turns;
  readonly leaving: Leaving;
  readonly finished: FinishedMessages;
  readonly log: Logger;
  readonly metrics: QueueMetrics | undefined;
  /** Called when there is something to begin. */
  onAdded(): void;
}

/** What becomes of a message that the broker has handed out before, and heard nothing of. */
export class Redeliveries {
  readonly #parts: RedeliveriesParts;

  constructor(parts: RedeliveriesParts) {
    this.#parts = parts;
  }

  /** On a queue that does not count such returns: it is sent on, with that counted. */
  async sendOnCounted(delivery: Delivery): Promise<void> {
    const { turns, log, metrics, onAdded } = this.#parts;
    if (await this.#isFinished(delivery)) return this.#acknowledge(delivery);
    if (delivery.isStale) return;
    try {
      await delivery.recount?.();
      metrics?.left("recounted");
    } catch (err) {
      log.warn({ err, message_id: delivery.id }, "a redelivered message can't be counted as such: it runs as it is");
      turns.add(delivery);
      onAdded();
    }
  }

  /** Runs it, unless it runs here already, or has: then only its acknowledgement was lost. */
  async runUnlessFinished(delivery: Delivery): Promise<void> {
    const { turns, onAdded } = this.#parts;
    if (await this.#isFinished(delivery)) return this.#acknowledge(delivery);
    turns.freeGroup(delivery);
    if (!delivery.isStale) turns.addFirst(delivery);
    onAdded();
  }

  async #isFinished(delivery: Delivery): Promise<boolean> {
    const { finished } = this.#parts;
    const key = messageKey(delivery);
    return key !== undefined && (await finished.find(key)) === true;
  }

  async #acknowledge(delivery: Delivery): Promise<void> {
    const { leaving, log } = this.#parts;
    await delivery.acknowledge();
    log.info({ message_id: delivery.id }, "a message came again that had been handled here: it is acknowledged");
    leaving.settled(delivery, undefined, "deduplicated", true);
  }
}
