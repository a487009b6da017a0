import { randomUUID } from "node:crypto";
import type { ChannelModel } from "amqplib";
import type { Logger } from "pino";
import { systemClock, wait } from "@tsserve/server";
import { backOff } from "../back-off.ts";
import type { Sink, Subscription, SubscriptionState } from "../broker.ts";
import type { AmqpSource, ConsumerDefinition } from "../consumer-definition.ts";
import { BrokerError } from "../outcome-errors.ts";
import { settlable } from "../settlable.ts";
import type { AmqpConnection } from "./connection.ts";
import { ConsumerChannel } from "./consumer-channel.ts";
import { AmqpDelivery, type AmqpDeliveryParts } from "./delivery.ts";
import { explainChannelError } from "./explain-error.ts";
import type { FailedMessages } from "./failed-messages.ts";
import type { AmqpSettings } from "./settings.ts";
import { declareSource, isMoreThanQueue, isNotFound } from "./topology.ts";

export interface AmqpSubscriptionParts {
  readonly settings: AmqpSettings;
  readonly connection: AmqpConnection;
  readonly failedMessages: FailedMessages;
  readonly log: Logger;
}

/** A tag is of 255 bytes at most; a character may take three. */
const longestNameInTag = 64;

/** A subscription that lasted this long was a good one: the next try after it comes soon. */
const steadyMs = 10_000;

/** A consumer's subscription, had again whenever it is lost: until it is cancelled, nothing ends the trying. */
export class AmqpSubscription implements Subscription {
  readonly #consumer: ConsumerDefinition;
  readonly #source: AmqpSource;
  readonly #sink: Sink;
  readonly #parts: AmqpSubscriptionParts;
  readonly #ending = new AbortController();
  readonly #first = settlable();
  #channel: ConsumerChannel | undefined;
  /** Whether this process has had the subscription before. */
  #hasSubscribed = false;
  #running: Promise<void>;

  constructor(consumer: ConsumerDefinition, source: AmqpSource, sink: Sink, parts: AmqpSubscriptionParts) {
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
    // One that was had, and was ended by us, lacks nothing.
    const hasEnded = this.#ending.signal.aborted && this.#hasSubscribed;
    return { isSubscribed: hasEnded || this.#channel?.isOpen === true, brokerAnswers: this.#parts.connection.isOpen };
  }

  async cancel(): Promise<void> {
    this.#ending.abort();
    await this.#channel?.cancel();
  }

  async close(): Promise<void> {
    this.#ending.abort();
    const channel = this.#channel;
    // Without a channel, it may be waiting for an answer of the broker: that ends with the connection, which is closed next.
    if (channel === undefined) return;
    await channel.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#ending.signal.aborted; failures += 1) {
      let beginning = Number.POSITIVE_INFINITY;
      let reason: BrokerError | undefined;
      try {
        const channel = await this.#subscribe();
        // A stop may have come meanwhile, and found nothing to cancel.
        if (this.#ending.signal.aborted) {
          await channel.close();
          break;
        }
        this.#channel = channel;
        this.#hasSubscribed = true;
        beginning = performance.now();
        this.#sink.subscribed();
        this.#first.resolve();
        reason = await channel.ended;
        await channel.close();
      } catch (error) {
        reason = explainChannelError(error, `subscribing to ${this.#source.queue}`);
      }
      this.#channel = undefined;
      if (this.#ending.signal.aborted) break;
      if (reason !== undefined) {
        this.#sink.unsubscribed(reason.reason, reason);
        if (reason.isPermanent) this.#first.reject(reason);
      }
      if (performance.now() - beginning > steadyMs) failures = 0;
      // While the connection is away, it does the waiting.
      if (this.#parts.connection.isOpen) await wait(systemClock, backOff(failures), this.#ending.signal);
    }
    this.#first.reject(new BrokerError("cancelled", "the subscription was ended before it could be had"));
  }

  async #subscribe(): Promise<ConsumerChannel> {
    const { connection, settings, log } = this.#parts;
    const model = await connection.open();
    const isResumed = this.#hasSubscribed;
    try {
      // A queue that is bound to nothing by us, and is there, need not be looked for: that is half of the questions to the broker.
      if (!isMoreThanQueue(this.#source)) {
        try {
          return await this.#consume(model, isResumed);
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      }
      await declareSource(model, this.#source, settings, log);
      return await this.#consume(model, isResumed);
    } catch (error) {
      // A peer that does not answer a question will not answer the next one either.
      if (error instanceof BrokerError && error.reason === "timeout") connection.abandon(model, error);
      throw error;
    }
  }

  #consume(model: ChannelModel, isResumed: boolean): Promise<ConsumerChannel> {
    const { settings, failedMessages, log } = this.#parts;
    let parts: AmqpDeliveryParts | undefined;
    return ConsumerChannel.open(model, {
      queue: this.#source.queue,
      prefetch: this.#source.prefetch,
      consumerTag: `${this.#consumer.name.slice(0, longestNameInTag)}-${randomUUID()}`,
      rpcTimeoutMs: settings.connectTimeoutMs,
      isOrdered: this.#consumer.isOrdered,
      hasSingleActive: this.#source.arguments["x-single-active-consumer"] === true,
      onMessage: (message, channel, unsettled) => {
        // Closing gives it back.
        if (this.#ending.signal.aborted && this.#channel !== channel) return;
        parts ??= { channel, source: this.#source, failed: failedMessages, isOrdered: this.#consumer.isOrdered, isResumed };
        this.#sink.deliver(new AmqpDelivery(message, unsettled, parts));
      },
      onUnheard: ({ delivery }) => {
        if (delivery !== undefined) this.#sink.unheard(delivery);
      },
      onError: (err) => log.error({ err }, `a listener of the channel of ${this.#source.queue} failed`),
    });
  }
}
