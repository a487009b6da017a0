import type { Logger } from "pino";
import type { ConsumerDefinition } from "./consumer-definition.ts";
import type { Delivery } from "./delivery.ts";
import type { FailedRuns } from "./failed-runs.ts";
import type { FinishedMessages } from "./finished-messages.ts";
import type { InterruptedMessages } from "./interrupted-messages.ts";
import type { Leaving } from "./leaving.ts";
import { messageKey } from "./message-key.ts";
import type { QueueMetrics } from "./queue-metrics.ts";
import type { Turns } from "./turns.ts";
import { hopelessness } from "./unfitness.ts";

export interface RedeliveriesParts {
  readonly definition: ConsumerDefinition;
  readonly failedRuns: FailedRuns;
  readonly interrupted: InterruptedMessages;
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

  /**
   * One that may end its worker, or its connection, once more. Where it has run here, what was to become of it does; else it is sent on
   * with its return counted, so that it is a dead letter after so many. In order nothing can be sent on: there, this process counts.
   */
  async comeBack(delivery: Delivery): Promise<void> {
    const { definition, interrupted, leaving, failedRuns } = this.#parts;
    if (await this.#isFinished(delivery)) return this.#acknowledge(delivery);
    if (delivery.isStale) return;
    const owed = interrupted.takeOwed(delivery);
    if (owed !== undefined) return leaving.write(delivery, messageKey(delivery), owed.outcome, owed.write);
    if (!definition.isOrdered)
      return delivery.isUnexplained === true || interrupted.takeLoss(delivery) ? this.#sendOnCounted(delivery) : this.#run(delivery);
    const hopeless = hopelessness(interrupted.lossesOf(delivery), definition.retry);
    if (hopeless !== undefined) return failedRuns.bury(delivery, messageKey(delivery), hopeless.reason, hopeless.error, delivery.failures);
    this.#run(delivery);
  }

  /** Runs it, unless it runs here already, or has: then only its acknowledgement was lost. */
  async runUnlessFinished(delivery: Delivery): Promise<void> {
    const { turns, onAdded } = this.#parts;
    if (await this.#isFinished(delivery)) return this.#acknowledge(delivery);
    turns.freeGroup(delivery);
    if (!delivery.isStale) turns.addFirst(delivery);
    onAdded();
  }

  async #sendOnCounted(delivery: Delivery): Promise<void> {
    const { log, metrics } = this.#parts;
    try {
      await delivery.recount?.();
      metrics?.left("recounted");
    } catch (err) {
      log.warn({ err, message_id: delivery.id }, "a redelivered message can't be counted as such: it runs as it is");
      this.#run(delivery);
    }
  }

  #run(delivery: Delivery): void {
    const { turns, onAdded } = this.#parts;
    turns.add(delivery);
    onAdded();
  }

  async #isFinished(delivery: Delivery): Promise<boolean> {
    const { finished, interrupted } = this.#parts;
    const key = messageKey(delivery);
    return key === undefined ? interrupted.takeFinished(delivery) : (await finished.find(key)) === true;
  }

  async #acknowledge(delivery: Delivery): Promise<void> {
    const { leaving, log } = this.#parts;
    await delivery.acknowledge();
    log.info({ message_id: delivery.id }, "a message came again that had been handled here: it is acknowledged");
    leaving.settled(delivery, undefined, "deduplicated", true);
  }
}
