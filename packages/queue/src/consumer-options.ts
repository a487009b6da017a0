import type { HandlerContext, Message, Parse } from "./message.ts";

/** What an app factory for `tsserve/queue` gives. */
export interface QueueApp {
  // oxlint-disable-next-line typescript/no-explicit-any -- each consumer has its own kind of body
  readonly consumers: readonly ConsumerOptions<any>[];
}

/** A consumer, as an app describes it: of AMQP or of SQS, one of the two. */
export interface ConsumerOptions<T = unknown> {
  /** In logs, metrics and routes; each name once. */
  readonly name: string;
  readonly amqp?: AmqpConsumerOptions;
  readonly sqs?: SqsConsumerOptions;
  /** Handlers of this consumer that run at once in one worker; default, and at most, `max_concurrency`. */
  readonly concurrency?: number;
  /** Default `retry_limit` and `retry_delay`. Delays are milliseconds, or timespans such as `10 seconds`. */
  readonly retry?: { readonly limit?: number; readonly delays?: readonly (number | string)[] };
  /** Makes the body; default `json`. */
  readonly parse?: Parse<T>;
  /**
   * Handles a message. When its promise resolves, the message is acknowledged; when it rejects, the message comes back later, or
   * as a `RetryMessage`, a `RejectMessage` or a `FatalError` says.
   */
  handle(message: Message<T>, context: HandlerContext): unknown;
}

export interface AmqpConsumerOptions {
  /** Default: made of the routing keys, as tomodachi does. */
  readonly queue?: string;
  /** What the queue is bound for: `order.*`, `#`. A queue that others have bound needs none. */
  readonly routingKeys?: readonly string[];
  /** Default `amqp.exchange_name`. */
  readonly exchange?: string;
  /** Whether all workers share one queue (the default), or each process has one of its own, and its own copy of each message. */
  readonly competing?: boolean;
  /** One message at a time, in the order of the queue, by one worker at a time; a failed one is retried in its place. Default false. */
  readonly ordered?: boolean;
  /** How many messages are held at most, running and waiting. Default `amqp.qos.queue_prefetch_count`. */
  readonly prefetch?: number;
  /** Arguments of the queue, where it is declared. */
  readonly arguments?: Readonly<Record<string, unknown>>;
}

export interface SqsConsumerOptions {
  /** The name, or an ARN. Default: made of the topics, as tomodachi does. */
  readonly queue?: string;
  /** The SNS topics that the queue is subscribed to; a `*` stands for anything. A queue that others feed needs none. */
  readonly topics?: readonly string[];
  /** Whether queue and topics are FIFO. Default false. */
  readonly fifo?: boolean;
  /** As SNS has it: which messages of the topics the queue gets. */
  readonly filterPolicy?: Readonly<Record<string, unknown>>;
  /** Whether SNS hands messages on without its envelope. Default false. */
  readonly raw?: boolean;
  /** For how long a message is invisible to others; prolonged while it is handled. Default `aws_sns_sqs.visibility_timeout`. */
  readonly visibilityTimeout?: number | string;
  /** As `amqp.competing`. */
  readonly competing?: boolean;
}
