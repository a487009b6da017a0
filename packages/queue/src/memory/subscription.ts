import type { Sink, Subscription, SubscriptionState } from "../broker.ts";
import { MemoryDelivery, type Fate, type TestMessage } from "./delivery.ts";

/** A consumer's queue in memory: what is handed over is delivered at once. */
export class MemorySubscription implements Subscription {
  readonly first: Promise<void> = Promise.resolve();
  readonly #sink: Sink;
  readonly #held = new Set<MemoryDelivery>();
  #isOpen = true;

  constructor(sink: Sink) {
    this.#sink = sink;
    sink.subscribed();
  }

  get state(): SubscriptionState {
    return { isSubscribed: this.#isOpen, brokerAnswers: true };
  }

  /** @throws {Error} after a stop: nobody takes it any more */
  deliver(message: TestMessage): Promise<Fate> {
    if (!this.#isOpen) throw new Error("the consumer has been stopped: it takes no messages");
    return new Promise((resolve) => {
      const delivery: MemoryDelivery = new MemoryDelivery(message, (fate) => {
        this.#held.delete(delivery);
        resolve(fate);
      });
      this.#held.add(delivery);
      this.#sink.deliver(delivery);
    });
  }

  cancel(): Promise<void> {
    this.#isOpen = false;
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#isOpen = false;
    for (const delivery of this.#held) delivery.giveBack();
    return Promise.resolve();
  }
}
