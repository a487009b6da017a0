import type { ConsumeMessage } from "amqplib";
import type { AmqpSource } from "../consumer-definition.ts";
import type { DeadReason, Delivery, Failure } from "../delivery.ts";
import { headerCount, headerNumber } from "../header-number.ts";
import type { Headers } from "../message.ts";
import type { ConsumerChannel } from "./consumer-channel.ts";
import { distinctionOf, headerNames, type FailedMessages } from "./failed-messages.ts";
import { UnreadableProperties } from "./survive-headers.ts";
import type { UnsettledDelivery } from "./unsettled.ts";

const noHeaders: Headers = {};

/** What all deliveries of a channel have in common. */
export interface AmqpDeliveryParts {
  readonly channel: ConsumerChannel;
  readonly source: AmqpSource;
  readonly failed: FailedMessages;
  readonly isOrdered: boolean;
  /** Whether this process has consumed from the queue before, and lost that. */
  readonly isResumed: boolean;
}

/** A message of RabbitMQ, bound to the channel that it came by. */
export class AmqpDelivery implements Delivery {
  readonly raw: ConsumeMessage;
  readonly bytes: Buffer;
  readonly receivedAt: number = Date.now();
  readonly isCopiedForRetry = true;
  readonly isUnexplained: boolean;
  // `private` rather than `#`: one of these is made for each message, and `#` fields cost more to make.
  private readonly isSuspected: boolean;
  private readonly unsettled: UnsettledDelivery;
  private readonly channel: ConsumerChannel;
  private readonly source: AmqpSource;
  private readonly failed: FailedMessages;

  constructor(message: ConsumeMessage, unsettled: UnsettledDelivery, { channel, source, failed, isOrdered, isResumed }: AmqpDeliveryParts) {
    this.raw = message;
    this.bytes = message.content;
    this.unsettled = unsettled;
    this.channel = channel;
    this.source = source;
    this.failed = failed;
    // Where the connection was lost, a restart of the broker has most likely brought it back, with all that workers held: there would
    // be thousands to send on. A message that did end its worker can do so once more to each worker that has resumed; the next
    // process in its place has not.
    this.isSuspected = message.fields.redelivered && !isResumed;
    // Where there is an order, nothing may be sent on.
    this.isUnexplained = this.isSuspected && !isOrdered;
    unsettled.delivery = this;
  }

  get id(): string | undefined {
    const id: unknown = this.raw.properties.messageId;
    return typeof id === "string" && id !== "" ? id : undefined;
  }

  get headers(): Headers {
    return this.raw.properties.headers ?? noHeaders;
  }

  get contentType(): string | undefined {
    return this.raw.properties.contentType as string | undefined;
  }

  get unreadable(): Error | undefined {
    const properties: unknown = this.raw.properties;
    return properties instanceof UnreadableProperties ? properties.error : undefined;
  }

  get routingKey(): string {
    const original = this.headers[headerNames.originalRoutingKey];
    const isReturned = this.headers[headerNames.originalQueue] === this.source.queue;
    return isReturned && typeof original === "string" ? original : this.raw.fields.routingKey;
  }

  get topic(): undefined {
    return undefined;
  }

  get group(): undefined {
    return undefined;
  }

  get sentAt(): Date | undefined {
    const seconds: unknown = this.raw.properties.timestamp;
    if (typeof seconds !== "number") return undefined;
    // Whole seconds since 1970; some clients send milliseconds, some what is no time at all.
    const date = new Date(seconds > 100_000_000_000 ? seconds : seconds * 1000);
    return Number.isNaN(date.getTime()) ? undefined : date;
  }

  get redelivered(): boolean {
    return this.raw.fields.redelivered || this.redeliveries > 0;
  }

  get failures(): number {
    return headerCount(this.headers[headerNames.retryCount]);
  }

  get redeliveries(): number {
    return headerCount(this.headers["x-delivery-count"]) + headerCount(this.headers[headerNames.redeliveryCount]);
  }

  get isSuspect(): boolean {
    return this.isSuspected || this.redeliveries > 0;
  }

  get distinction(): unknown {
    return distinctionOf(this.raw);
  }

  get earlierAttempts(): number {
    return this.failures + this.redeliveries;
  }

  get retryLimit(): number | undefined {
    const limit = headerNumber(this.headers[headerNames.retryLimit]);
    return limit === undefined ? undefined : headerCount(limit);
  }

  get expiresAt(): number | undefined {
    const seconds = headerNumber(this.headers["x-ttl"]);
    return seconds === undefined ? undefined : seconds * 1000;
  }

  get isStale(): boolean {
    return !this.channel.isOpen;
  }

  acknowledge(): boolean {
    return this.channel.acknowledge(this.unsettled);
  }

  giveBack(): void {
    this.channel.giveBack(this.unsettled);
  }

  keep(): void {
    this.channel.keep(this.unsettled);
  }

  fail(): void {
    this.channel.fail(this.unsettled);
  }

  /** A copy first, acknowledged second: the other way round, a crash in between would lose the message. */
  async retry(delayMs: number, failure: Failure): Promise<void> {
    await this.failed.retry(this.raw, this.source, delayMs, failure);
    this.acknowledge();
  }

  async bury(reason: DeadReason, failure: Failure): Promise<void> {
    await this.failed.bury(this.raw, this.source, reason, failure);
    this.acknowledge();
  }

  async recount(): Promise<void> {
    // A quorum queue has counted this return already, a classic one has not.
    const redeliveries = Math.max(this.redeliveries, headerCount(this.headers[headerNames.redeliveryCount]) + 1);
    await this.failed.recount(this.raw, this.source, redeliveries);
    this.acknowledge();
  }
}
