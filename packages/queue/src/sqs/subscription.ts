import { systemClock, wait } from "@tsserve/server";
import type { Logger } from "pino";
import { backOff } from "../back-off.ts";
import type { Sink, Subscription, SubscriptionState } from "../broker.ts";
import type { ConsumerDefinition, SqsSource } from "../consumer-definition.ts";
import { BrokerError } from "../outcome-errors.ts";
import { settlable } from "../settlable.ts";
import type { SnsApi, SqsApi } from "./connection.ts";
import { SqsDelivery } from "./delivery.ts";
import { explainError } from "./explain-error.ts";
import { SqsSettlement } from "./settlement.ts";
import type { SqsSettings } from "./settings.ts";
import { declareSource, type SqsQueue } from "./topology.ts";

export interface SqsSubscriptionParts {
  readonly settings: SqsSettings;
  readonly sqs: SqsApi;
  readonly sns: () => Promise<SnsApi>;
  readonly log: Logger;
}

/** SQS's limit of messages for one question. */
const mostMessages = 10;
const fullPauseMs = 20;

/** A consumer's questions to its queue, asked until it is cancelled, whatever the answers. */
export class SqsSubscription implements Subscription {
  readonly #consumer: ConsumerDefinition;
  readonly #source: SqsSource;
  readonly #sink: Sink;
  readonly #parts: SqsSubscriptionParts;
  readonly #ending = new AbortController();
  readonly #first = settlable();
  #settlement: SqsSettlement | undefined;
  #isSubscribed = false;
  #answered = false;
  /** How many messages open questions may still bring. */
  #asked = 0;
  readonly #running: Promise<void>;
  /** Those who ask; each is there until its last question is answered. */
  readonly #polls = new Set<Promise<void>>();
  #prolonging: NodeJS.Timeout | undefined;

  constructor(consumer: ConsumerDefinition, source: SqsSource, sink: Sink, parts: SqsSubscriptionParts) {
    this.#consumer = consumer;
    this.#source = source;
    this.#sink = sink;
    this.#parts = parts;
    this.#running = this.#run();
  }

  get first(): Promise<void> {
    return this.#first.promise;
  }

  get state(): SubscriptionState {
    return { isSubscribed: this.#isSubscribed, brokerAnswers: this.#answered };
  }

  /** Open questions are let return: one that is aborted may have made messages invisible that nobody has. */
  async cancel(): Promise<void> {
    this.#ending.abort();
    await this.#running;
    await Promise.allSettled(this.#polls);
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.#settlement?.close();
    clearInterval(this.#prolonging);
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#ending.signal.aborted; failures += 1) {
      try {
        const queue = await this.#declare();
        this.#isSubscribed = true;
        this.#answered = true;
        this.#sink.subscribed();
        this.#first.resolve();
        failures = 0;
        await this.#pollAll(queue);
      } catch (error) {
        const reason = explainError(error, `receiving from "${this.#source.queue}"`);
        this.#isSubscribed = false;
        this.#answered = reason.reason !== "unreachable" && reason.reason !== "timeout";
        if (this.#ending.signal.aborted) break;
        this.#sink.unsubscribed(reason.reason, reason);
        if (reason.isPermanent) this.#first.reject(reason);
      }
      await wait(systemClock, backOff(failures), this.#ending.signal);
    }
    this.#first.reject(new BrokerError("cancelled", "the subscription was ended before it could be had"));
  }

  async #declare(): Promise<SqsQueue> {
    const { sqs, sns, settings, log } = this.#parts;
    const queue = await declareSource(sqs, sns, this.#source, settings, log);
    const { redrive, visibilityTimeoutMs } = queue;
    const { limit } = this.#consumer.retry;
    if (redrive !== undefined && redrive.maxReceiveCount < limit + 1)
      log.warn(
        `the redrive policy of ${this.#source.queue} takes a message away after ${redrive.maxReceiveCount} receipts: of its ${limit} retries not all will be run`,
      );
    if (this.#settlement === undefined) {
      this.#settlement = new SqsSettlement(sqs, queue, this.#source, log);
      const intervalMs = Math.max(100, Math.min(5000, visibilityTimeoutMs / 8));
      this.#prolonging = setInterval(() => {
        this.#settlement?.prolong().catch((err: unknown) => log.warn({ err }, "messages could not be kept"));
      }, intervalMs);
      this.#prolonging.unref();
    }
    return queue;
  }

  /** Asks until the end. @throws what the first of them throws; the others then end with the answers to their open questions */
  async #pollAll(queue: SqsQueue): Promise<void> {
    const failed = new AbortController();
    const ending = AbortSignal.any([this.#ending.signal, failed.signal]);
    const count = this.#parts.settings.polls ?? (this.#consumer.concurrency > 10 ? 2 : 1);
    const polls = Array.from({ length: count }, () => this.#poll(queue, ending));
    for (const poll of polls) {
      this.#polls.add(poll);
      const end = (): void => void this.#polls.delete(poll);
      poll.then(end, end);
    }
    try {
      await Promise.all(polls);
    } finally {
      failed.abort();
    }
  }

  async #poll(queue: SqsQueue, ending: AbortSignal): Promise<void> {
    const { sqs, settings } = this.#parts;
    const settlement = this.#settlement as SqsSettlement;
    // What waits in here is kept from others: no more than is soon begun.
    const mostHeld = Math.max(mostMessages, 2 * this.#consumer.concurrency);
    while (!ending.aborted) {
      const room = Math.min(mostMessages, mostHeld - settlement.held.size - this.#asked);
      if (room <= 0) {
        await wait(systemClock, fullPauseMs, ending);
        continue;
      }
      this.#asked += room;
      const askedAt = performance.now();
      try {
        const { Messages = [] } = await sqs.client.send(
          new sqs.library.ReceiveMessageCommand({
            QueueUrl: queue.url,
            MaxNumberOfMessages: room,
            WaitTimeSeconds: Math.floor(settings.waitTimeMs / 1000),
            VisibilityTimeout: Math.ceil(queue.visibilityTimeoutMs / 1000),
            MessageSystemAttributeNames: ["All"],
            MessageAttributeNames: ["All"],
          }),
        );
        const now = performance.now();
        for (const message of Messages) {
          const delivery = new SqsDelivery(message, this.#source, settlement, now + queue.visibilityTimeoutMs);
          settlement.held.add(delivery);
          this.#sink.deliver(delivery);
        }
        // An emulator, or a wait time of 0, may answer at once with nothing.
        if (Messages.length === 0 && performance.now() - askedAt < fullPauseMs) await wait(systemClock, fullPauseMs, ending);
      } finally {
        this.#asked -= room;
      }
    }
  }
}
