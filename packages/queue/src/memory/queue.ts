import type { Fate, TestMessage } from "./delivery.ts";
import type { MemorySubscription } from "./subscription.ts";

/** A queue over a subscription in memory: what is retried or returned is handed over again, as a broker does. */
export class MemoryQueue {
  readonly #subscription: MemorySubscription;
  waiting = 0;
  dead = 0;

  constructor(subscription: MemorySubscription) {
    this.#subscription = subscription;
  }

  publish(message: TestMessage): void {
    if (!this.#subscription.state.isSubscribed) {
      this.waiting += 1;
      return;
    }
    void this.#subscription.deliver(message).then((fate) => this.#left(message, fate));
  }

  #left(message: TestMessage, fate: Fate): void {
    if (fate.outcome === "dead") this.dead += 1;
    if (fate.outcome === "returned") this.publish({ ...message, redelivered: true });
    if (fate.outcome === "retried") setTimeout(() => this.publish({ ...message, attempt: (message.attempt ?? 1) + 1 }), fate.delayMs);
  }
}
