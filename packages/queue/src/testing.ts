/**
 * For tests: consumers without a broker (`testConsumers`), and the brokers themselves, for the suite that each must pass.
 */
export { AmqpBroker, SqsBroker } from "./broker-classes.ts";
export { amqpSettings } from "./amqp/settings.ts";
export { MemoryBroker } from "./memory/broker.ts";
export { MemoryQueue } from "./memory/queue.ts";
export { testConsumers } from "./memory/test-consumers.ts";
export { readConsumers } from "./read-consumers.ts";
export { queueSettings } from "./settings.ts";

export type { Broker, Sink, Subscription, SubscriptionState } from "./broker.ts";
export type { ConsumerDefinition } from "./consumer-definition.ts";
export type { Delivery, Failure } from "./delivery.ts";
export type { Fate, TestMessage } from "./memory/delivery.ts";
export type { TestConsumers, TestConsumersOptions } from "./memory/test-consumers.ts";
