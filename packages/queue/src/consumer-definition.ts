import type { HandlerContext, Message, Parse } from "./message.ts";

/** How failed messages come back. */
export interface RetryPolicy {
  /** How many retries a message gets after its first run. */
  readonly limit: number;
  /** Before the first retry, the second, …; the last one repeats. */
  readonly delaysMs: readonly number[];
}

/** Where an AMQP consumer's messages come from. */
export interface AmqpSource {
  readonly system: "rabbitmq";
  readonly queue: string;
  /** As they are bound: with their prefix, odd characters encoded. */
  readonly bindings: readonly string[];
  readonly exchange: string;
  readonly isCompeting: boolean;
  readonly prefetch: number;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** Where an SQS consumer's messages come from. */
export interface SqsSource {
  readonly system: "aws_sqs";
  readonly queue: string;
  readonly topics: readonly string[];
  readonly isFifo: boolean;
  readonly isRaw: boolean;
  readonly filterPolicy: Readonly<Record<string, unknown>> | undefined;
  readonly visibilityTimeoutMs: number | undefined;
  readonly isCompeting: boolean;
}

/** A consumer of the app, checked and complete. */
export interface ConsumerDefinition {
  /** In logs, metrics and routes. */
  readonly name: string;
  readonly source: AmqpSource | SqsSource;
  readonly concurrency: number;
  /** One message at a time, retried in its place. */
  readonly isOrdered: boolean;
  readonly retry: RetryPolicy;
  readonly messageTimeoutMs: number;
  readonly maxMessageBytes: number;
  readonly keepsDeadLetters: boolean;
  /** How many finished ids are remembered, so that what an acknowledgement was lost of is not handled twice. */
  readonly rememberedIds: number;
  readonly parse: Parse;
  readonly handle: (message: Message, context: HandlerContext) => unknown;
}
