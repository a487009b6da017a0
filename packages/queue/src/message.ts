import type { Logger } from "pino";

/** AMQP's headers, or the message attributes of SQS (texts). */
export type Headers = Readonly<Record<string, unknown>>;

/** A message, as a handler gets it. */
export interface Message<T = unknown> {
  /** As its publisher named it; of SQS, the id that AWS gave it. */
  readonly id: string | undefined;
  /** What the consumer's parser made of the bytes. */
  readonly body: T;
  readonly bytes: Buffer;
  readonly headers: Headers;
  /** Of AMQP: the one that it was published with, after retries too. */
  readonly routingKey: string | undefined;
  /** Of SNS: the topic's name. */
  readonly topic: string | undefined;
  readonly queue: string;
  /** 1 for the first run; counts in whatever worker they were. */
  readonly attempt: number;
  /** Whether it was handed out before: it may have been handled, or half of it. */
  readonly redelivered: boolean;
  readonly sentAt: Date | undefined;
  readonly receivedAt: Date;
  /** What the broker's library gave. */
  readonly raw: unknown;
}

/** A message before its parser has run. */
export type UnparsedMessage = Omit<Message, "body">;

/** What a handler is called with beside the message. */
export interface HandlerContext {
  /** Aborts at `message_timeout`, and near the deadline of a stop. */
  readonly signal: AbortSignal;
  /** With the ids of the trace and the message, the queue, the consumer and the attempt. */
  readonly log: Logger;
  readonly trace: MessageTrace;
}

/** The trace that a message belongs to, in W3C's form (w3.org/TR/trace-context). */
export interface MessageTrace {
  readonly traceId: string;
  /** Of the handling of this message. */
  readonly spanId: string;
  /** Of whoever published it. */
  readonly parentId: string | undefined;
  /** Whether it is recorded; `undefined` where the publisher has not decided: then `tracing.sample` does. */
  readonly sampled: boolean | undefined;
  readonly state: string | undefined;
}

/**
 * Makes a body of a message. What it throws makes the message a dead letter at once: no retry would help.
 */
export type Parse<T = unknown> = (message: UnparsedMessage) => T | Promise<T>;
