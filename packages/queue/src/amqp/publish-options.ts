export interface AmqpPublishOptions {
  /** Default `amqp.exchange_name`; an empty text is the default exchange, which hands a message to the queue of its routing key's name. */
  readonly exchange?: string;
  /** Times, `bigint`s and bytes are written as the types that AMQP has for them. */
  readonly headers?: Readonly<Record<string, unknown>>;
  /** By which a consumer knows a message that comes twice; default a new one. */
  readonly messageId?: string;
  /** Whether the broker keeps it on disk; default true. One that is not may be lost with the broker. */
  readonly persistent?: boolean;
  /** Until the broker's confirmation; default `amqp.connect_timeout`. Milliseconds, or a timespan. */
  readonly timeout?: number | string;
  readonly contentType?: string;
  readonly correlationId?: string;
  readonly priority?: number;
}
