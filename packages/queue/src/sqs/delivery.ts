import type { Message as SqsMessage } from "@aws-sdk/client-sqs";
import type { DeadReason, Delivery, Failure } from "../delivery.ts";
import { headerCount, headerNumber } from "../header-number.ts";
import type { Headers } from "../message.ts";
import type { SqsSource } from "../consumer-definition.ts";
import type { SqsSettlement } from "./settlement.ts";

/** So many receipts of one message are no accident: each may have ended its worker. */
const suspiciousReceipts = 4;

interface Envelope {
  readonly Type: "Notification";
  readonly TopicArn: string;
  readonly Message: string;
  readonly MessageAttributes?: Readonly<Record<string, { readonly Type?: string; readonly Value?: string }>>;
}

/** A message of SQS, with what SNS put round it taken off. */
export class SqsDelivery implements Delivery {
  readonly raw: SqsMessage;
  readonly bytes: Buffer;
  readonly headers: Headers;
  readonly topic: string | undefined;
  readonly receivedAt: number = Date.now();
  readonly routingKey = undefined;
  readonly contentType = undefined;
  readonly isCopiedForRetry = false;
  /** Until when nobody else gets it, on the clock of `performance.now()`. */
  invisibleUntil: number;
  isStale = false;
  private readonly source: SqsSource;
  private readonly settlement: SqsSettlement;

  constructor(message: SqsMessage, source: SqsSource, settlement: SqsSettlement, invisibleUntil: number) {
    this.raw = message;
    this.source = source;
    this.settlement = settlement;
    this.invisibleUntil = invisibleUntil;
    const body = message.Body ?? "";
    const envelope = envelopeOf(body);
    this.bytes = Buffer.from(envelope?.Message ?? body);
    this.topic = envelope?.TopicArn.split(":").at(-1);
    this.headers = {
      ...Object.fromEntries(Object.entries(envelope?.MessageAttributes ?? {}).map(([name, { Value }]) => [name, Value])),
      ...Object.fromEntries(
        Object.entries(message.MessageAttributes ?? {}).map(([name, { StringValue, BinaryValue }]) => [name, StringValue ?? BinaryValue]),
      ),
    };
  }

  get id(): string | undefined {
    return this.raw.MessageId;
  }

  get sentAt(): Date | undefined {
    const sent = Number(this.raw.Attributes?.SentTimestamp);
    return Number.isNaN(sent) ? undefined : new Date(sent);
  }

  get group(): string | undefined {
    return this.source.isFifo ? this.raw.Attributes?.MessageGroupId : undefined;
  }

  /** How often it was received before this time. */
  get redeliveries(): number {
    return Math.max(0, Number(this.raw.Attributes?.ApproximateReceiveCount ?? 1) - 1);
  }

  get redelivered(): boolean {
    return this.redeliveries > 0;
  }

  get failures(): number {
    return this.redeliveries;
  }

  get earlierAttempts(): number {
    return this.redeliveries;
  }

  get isSuspect(): boolean {
    return this.redeliveries >= suspiciousReceipts;
  }

  get expiresAt(): number | undefined {
    const seconds = headerNumber(this.headers["x-ttl"]);
    return seconds === undefined ? undefined : seconds * 1000;
  }

  get retryLimit(): number | undefined {
    const limit = headerNumber(this.headers["x-retry-limit"]);
    return limit === undefined ? undefined : headerCount(limit);
  }

  acknowledge(): Promise<boolean> {
    return this.settlement.delete(this);
  }

  giveBack(): Promise<void> {
    return this.settlement.makeVisible(this, 0);
  }

  fail(): Promise<void> {
    return this.settlement.makeVisible(this, 1000);
  }

  async retry(delayMs: number): Promise<void> {
    await this.settlement.makeVisible(this, delayMs);
  }

  async bury(reason: DeadReason, failure: Failure): Promise<void> {
    await this.settlement.sendToDead(this, reason, failure);
    await this.acknowledge();
  }
}

/** SNS's envelope is known by its type and its topic, never taken for granted: a queue may be fed by others, too. */
function envelopeOf(body: string): Envelope | undefined {
  if (!body.startsWith("{") || !body.includes('"TopicArn"')) return undefined;
  try {
    const value = JSON.parse(body) as Partial<Envelope>;
    const isEnvelope = value.Type === "Notification" && typeof value.TopicArn === "string" && typeof value.Message === "string";
    return isEnvelope ? (value as Envelope) : undefined;
  } catch {
    return undefined;
  }
}
