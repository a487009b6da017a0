import { ActiveRequest, type RequestDescription } from "@tsserve/server";
import type { Logger } from "pino";
import type { ConsumerDefinition } from "./consumer-definition.ts";
import type { Delivery } from "./delivery.ts";
import type { HandlerContext, Message, MessageTrace, UnparsedMessage } from "./message.ts";
import { traceOf } from "./trace.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const methods = { rabbitmq: "AMQP", aws_sqs: "SQS" } as const;

/** One run of a handler, and what the handler is called with. What few handlers ask for is made when they ask. */
export class QueueRun extends ActiveRequest implements HandlerContext {
  readonly delivery: Delivery;
  readonly startedAt: number = performance.now();
  /** How many runs of this message have failed in this worker, where it retries in place. */
  readonly failuresHere: number;
  /** As `messageKey` gives it. */
  readonly key: number | undefined;
  /** Set when nobody waits for the handler any more: it took too long, or the deadline of the stop has come. */
  isOver = false;
  private readonly definition: ConsumerDefinition;
  private readonly parentLog: Logger;
  private controller: AbortController | undefined = undefined;
  private abortReason: Error | undefined = undefined;
  private knownTrace: MessageTrace | undefined = undefined;
  private knownLog: Logger | undefined = undefined;
  private knownMessage: Mutable<Message> | undefined = undefined;

  constructor(definition: ConsumerDefinition, delivery: Delivery, key: number | undefined, failuresHere: number, log: Logger) {
    super();
    this.definition = definition;
    this.delivery = delivery;
    this.key = key;
    this.failuresHere = failuresHere;
    this.parentLog = log;
  }

  get attempt(): number {
    return this.delivery.earlierAttempts + this.failuresHere + 1;
  }

  /** How many runs of this message will have failed when this one has. */
  get failures(): number {
    return this.delivery.failures + this.failuresHere + 1;
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.abortReason !== undefined) this.controller.abort(this.abortReason);
    }
    return this.controller.signal;
  }

  get trace(): MessageTrace {
    return (this.knownTrace ??= traceOf(this.delivery.headers));
  }

  get log(): Logger {
    return (this.knownLog ??= this.parentLog.child({
      trace_id: this.trace.traceId,
      span_id: this.trace.spanId,
      ...(this.delivery.id === undefined ? {} : { message_id: this.delivery.id.slice(0, 128) }),
      queue: this.definition.source.queue,
      consumer: this.definition.name,
      attempt: this.attempt,
    }));
  }

  abort(reason: Error): void {
    this.abortReason ??= reason;
    this.controller?.abort(this.abortReason);
  }

  /** For the parser; the message that the handler gets is the same object, with its body. */
  unparsed(): UnparsedMessage {
    return (this.knownMessage ??= this.makeMessage());
  }

  message(body: unknown): Message {
    const message = (this.knownMessage ??= this.makeMessage());
    message.body = body;
    return message;
  }

  private makeMessage(): Mutable<Message> {
    const { delivery } = this;
    return {
      id: delivery.id,
      body: undefined,
      bytes: delivery.bytes,
      headers: delivery.headers,
      routingKey: delivery.routingKey,
      topic: delivery.topic,
      queue: this.definition.source.queue,
      attempt: this.attempt,
      redelivered: delivery.redelivered,
      sentAt: delivery.sentAt,
      receivedAt: new Date(delivery.receivedAt),
      raw: delivery.raw,
    };
  }

  override describe(): RequestDescription {
    const { source } = this.definition;
    const ageMs = Math.round(performance.now() - this.startedAt);
    return { method: methods[source.system], route: source.queue, ageMs, id: this.delivery.id };
  }
}
