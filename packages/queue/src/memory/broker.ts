import type { Broker, Sink } from "../broker.ts";
import type { ConsumerDefinition } from "../consumer-definition.ts";
import { MemorySubscription } from "./subscription.ts";

/** No broker at all: for tests of what consumers do. */
export class MemoryBroker implements Broker {
  readonly subscriptions: Map<string, MemorySubscription> = new Map();

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  subscribe(consumer: ConsumerDefinition, sink: Sink): MemorySubscription {
    const subscription = new MemorySubscription(sink);
    this.subscriptions.set(consumer.name, subscription);
    return subscription;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
