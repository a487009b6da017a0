/** `factory = tsserve/queue` */
export {
  BrokerError,
  bytes,
  FatalError,
  json,
  makeServer,
  parseSettings,
  RejectMessage,
  RetryMessage,
  settings,
  text,
} from "@tsserve/queue";
export type {
  AmqpConsumerOptions,
  ConsumerOptions,
  HandlerContext,
  Headers,
  Message,
  MessageTrace,
  Parse,
  QueueApp,
  QueueSettings,
  SqsConsumerOptions,
  UnparsedMessage,
} from "@tsserve/queue";
