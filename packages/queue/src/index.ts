/**
 * Queues: `makeServer` runs `{ consumers: […] }` of RabbitMQ and SNS/SQS. A consumer's life (`consumer.ts`) knows no broker;
 * a broker (`amqp/`, `sqs/`) hands it messages as `Delivery`s, and keeps its subscription alive. A handler's promise is the
 * acknowledgement.
 */
export { makeServer } from "./make-server.ts";
export { BrokerError, FatalError, RejectMessage, RetryMessage } from "./outcome-errors.ts";
export { bytes } from "./parse/bytes.ts";
export { json } from "./parse/json.ts";
export { text } from "./parse/text.ts";
export { tomodachiEnvelope, tomodachiJson } from "./parse/tomodachi-json.ts";
export { tomodachiProtobuf } from "./parse/tomodachi-protobuf.ts";
export { openPublisher } from "./publisher.ts";
export { PublishError } from "./publish-error.ts";
export { queueSettings as parseSettings, settings } from "./settings.ts";

export type { AmqpConsumerOptions, ConsumerOptions, QueueApp, SqsConsumerOptions } from "./consumer-options.ts";
export type { HandlerContext, Headers, Message, MessageTrace, Parse, UnparsedMessage } from "./message.ts";
export type { AmqpPublishOptions } from "./amqp/publish-options.ts";
export type { Publish, Publisher } from "./publisher.ts";
export type { ProtobufType } from "./parse/tomodachi-protobuf.ts";
export type { PublishErrorCode } from "./publish-error.ts";
export type { SnsPublishOptions, SqsPublishOptions, SqsSendEntry, SqsSendResult } from "./sqs/publish-options.ts";
export type { BrokerErrorReason } from "./outcome-errors.ts";
export type { QueueSettings } from "./settings.ts";
