import type { ConsumerDefinition } from "./consumer-definition.ts";
import type { Delivery } from "./delivery.ts";
import type { BrokerErrorReason } from "./outcome-errors.ts";

/** What a subscription tells. */
export interface Sink {
  deliver(delivery: Delivery): void;
  /** It was acknowledged, but the broker had taken it back before that could be told: it will come again. */
  unheard(delivery: Delivery): void;
  subscribed(): void;
  /** It will be tried again, for ever. Deliveries that came before may be stale by now. */
  unsubscribed(reason: BrokerErrorReason, error: Error): void;
}

/** How a subscription is, for readiness, liveness and the metrics. */
export interface SubscriptionState {
  readonly isSubscribed: boolean;
  /** Whether the broker answers, even if the subscription can't be had. */
  readonly brokerAnswers: boolean;
}

/** One consumer's claim on its queue, kept alive for ever. */
export interface Subscription {
  /** Resolves when messages may come for the first time; rejects with a `BrokerError` when the broker refuses for good. */
  readonly first: Promise<void>;
  readonly state: SubscriptionState;
  /** Takes nothing new. Resolves when nothing more will be delivered. */
  cancel(): Promise<void>;
  /** Gives back everything that was delivered and did not leave, and ends. */
  close(): Promise<void>;
}

/** What the core knows of a broker. */
export interface Broker {
  /** Loads its library, and may begin to connect. @throws {BrokerError} `library`, with what to install */
  prepare(consumer: string): Promise<void>;
  subscribe(consumer: ConsumerDefinition, sink: Sink): Subscription;
  /** After the subscriptions have closed: lets go of what they shared. */
  close(): Promise<void>;
}
