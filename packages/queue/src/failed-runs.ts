import { systemClock, wait } from "@tsserve/server";
import type { Logger } from "pino";
import type { ConsumerDefinition } from "./consumer-definition.ts";
import { contentKey } from "./content-key.ts";
import type { DeadReason, Delivery } from "./delivery.ts";
import type { FinishedMessages } from "./finished-messages.ts";
import type { Leaving } from "./leaving.ts";
import { messageKey } from "./message-key.ts";
import type { QueueMetrics } from "./queue-metrics.ts";
import type { QueueRun } from "./queue-run.ts";
import { retryDelay, retryLimit } from "./retry-delay.ts";
import type { Turns } from "./turns.ts";

export interface FailedRunsParts {
  readonly definition: ConsumerDefinition;
  readonly leaving: Leaving;
  readonly turns: Turns;
  readonly finished: FinishedMessages;
  readonly log: Logger;
  readonly metrics: QueueMetrics | undefined;
  /** Aborts at the stop: a message that waits for its retry here goes back. */
  readonly stopping: AbortSignal;
  /** Called when the turn of others may have come. */
  onLeft(): void;
}

/** What becomes of a message that could not be handled: a retry, in its place where there is an order, or a dead letter. */
export class FailedRuns {
  readonly #parts: FailedRunsParts;
  /** Of messages that are retried in their place: how many of their runs have failed here. */
  readonly #failuresHere = new WeakMap<Delivery, number>();
  /**
   * In order, the message that was out when the subscription was lost (RabbitMQ waits half an hour for an acknowledgement, and retries in
   * place take longer), and how many of its runs had failed. It is the next one to come, should it come here.
   */
  #lost: { readonly key: string | number; readonly failures: number } | undefined;

  constructor(parts: FailedRunsParts) {
    this.#parts = parts;
  }

  failuresHere(delivery: Delivery): number {
    const known = this.#failuresHere.get(delivery);
    if (known !== undefined || this.#lost === undefined) return known ?? 0;
    const { key, failures } = this.#lost;
    this.#lost = undefined;
    return delivery.redelivered && keyOf(delivery) === key ? failures : 0;
  }

  async retry(run: QueueRun, error: unknown): Promise<void> {
    const { delivery, key, failures } = run;
    const { definition, leaving, turns, log } = this.#parts;
    const { retry, name } = definition;
    const limit = retryLimit(retry, delivery.retryLimit);
    if (failures > limit) return this.bury(delivery, key, "retries", error, failures);
    const delayMs = retryDelay(error, failures, retry, (err) =>
      log.warn({ err }, "a RetryMessage has an `after` that is no timespan: the consumer's own delay is taken"),
    );
    run.log.warn(
      { err: error, retry_ms: delayMs },
      `${name}: attempt ${run.attempt} failed, retry ${failures} of ${limit} comes in ${delayMs} ms`,
    );
    if (turns.groupOf(delivery) !== undefined) return this.#retryInPlace(run, delayMs);
    await leaving.write(delivery, key, "retry", (to) => to.retry(delayMs, { error, failures, retryLimit: limit }));
  }

  async bury(delivery: Delivery, key: number | undefined, reason: DeadReason, error: unknown, failures: number): Promise<void> {
    const { definition, leaving, finished, log, metrics } = this.#parts;
    const { keepsDeadLetters, name, retry } = definition;
    const fate = keepsDeadLetters ? "is a dead letter now" : "is thrown away, as dead_letter = false says";
    log.error({ err: error, message_id: delivery.id, reason }, `${name}: a message ${fate} (${reason})`);
    if (keepsDeadLetters)
      return leaving.write(delivery, key, "dead", async (to) => {
        await to.bury(reason, { error, failures, retryLimit: retry.limit });
        metrics?.buried(reason);
      });
    if (key !== undefined) finished.leaves(key);
    await delivery.acknowledge();
    metrics?.buried(reason);
    leaving.settled(delivery, key, "discarded", true);
  }

  /** Messages of a group keep their order: the group waits for the one that failed. */
  async #retryInPlace({ delivery, key, failuresHere }: QueueRun, delayMs: number): Promise<void> {
    const { finished, leaving, turns, metrics, stopping, onLeft } = this.#parts;
    const lose = (ofMessage: number | undefined): void => {
      if (this.#parts.definition.isOrdered) this.#lost = { key: keyOf(delivery), failures: failuresHere + 1 };
      leaving.settled(delivery, ofMessage, "stale", false);
    };
    if (delivery.isStale) return lose(key);
    if (key !== undefined) finished.end(key, false);
    await wait(systemClock, delayMs, stopping);
    if (stopping.aborted) {
      leaving.giveBack(delivery);
      return;
    }
    if (delivery.isStale) return lose(undefined);
    metrics?.left("retry");
    this.#failuresHere.set(delivery, failuresHere + 1);
    turns.freeGroup(delivery);
    turns.addFirst(delivery);
    onLeft();
  }
}

function keyOf(delivery: Delivery): string | number {
  return messageKey(delivery) ?? contentKey(delivery);
}
