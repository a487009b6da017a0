import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import { BrokerError } from "../outcome-errors.ts";
import { within } from "../within.ts";
import { explainChannelError } from "./explain-error.ts";

/** How long no delivery may have come before a consumer is cancelled: what is on its way is then likely to have arrived. */
const quietMs = 150;
/** How long acknowledgements are held for that, at most. */
const longestHoldMs = 500;

/** The tag of a message, as amqplib's functions take it. */
type Tagged = Pick<ConsumeMessage, "fields">;

export interface ConsumerChannelOptions {
  readonly queue: string;
  readonly prefetch: number;
  readonly consumerTag: string;
  readonly rpcTimeoutMs: number;
  /** Messages may come before `open` has resolved: in one piece with the broker's answer. */
  onMessage(message: ConsumeMessage, channel: ConsumerChannel): void;
  /** A fault of ours, which must not go unseen. */
  onError(error: unknown): void;
}

/**
 * A channel with one consumer. Delivery tags begin at 1 on every channel, so that a message is only ever settled on the
 * channel that it came by: elsewhere its tag would be that of another message.
 */
export class ConsumerChannel {
  /** Resolves when it is over, with the reason; with `undefined` when we have closed it. */
  readonly ended: Promise<BrokerError | undefined>;
  readonly #channel: Channel;
  readonly #options: ConsumerChannelOptions;
  #isOpen = true;
  #unsettled = 0;
  #highestTag = 0;
  #lastDelivery = 0;
  /** Settlements that wait until the consumer is cancelled. */
  #held: (() => void)[] | undefined;
  #end: (reason: BrokerError | undefined) => void = () => undefined;

  private constructor(channel: Channel, options: ConsumerChannelOptions) {
    this.#channel = channel;
    this.#options = options;
    this.ended = new Promise((resolve) => (this.#end = resolve));
    let error: Error | undefined;
    // Without a listener, an error would end the process.
    channel.on("error", (reason) => (error = reason));
    // What a listener throws would else be thrown into amqplib's parser. A delivery after a cancel, for one, finds no consumer.
    channel.on("handler-error", (reason) => options.onError(reason));
    channel.on("close", () =>
      this.#close(error === undefined ? connectionLost() : explainChannelError(error, `the channel of ${options.queue}`)),
    );
  }

  /** Opens a channel and consumes. @throws what the broker says */
  static async open(model: ChannelModel, options: ConsumerChannelOptions): Promise<ConsumerChannel> {
    const { queue, rpcTimeoutMs, prefetch, consumerTag } = options;
    const raw = await within(model.createChannel(), rpcTimeoutMs, "opening a channel");
    const channel = new ConsumerChannel(raw, options);
    try {
      await within(raw.prefetch(prefetch), rpcTimeoutMs, "setting the prefetch count");
      const consuming = raw.consume(queue, (message) => channel.#received(message), { consumerTag });
      await within(consuming, rpcTimeoutMs, `consuming from ${queue}`);
      return channel;
    } catch (error) {
      await channel.close();
      throw error;
    }
  }

  /** Whether what came by it can still be settled. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** @returns whether the broker will hear of it */
  acknowledge(message: Tagged): boolean {
    return this.#settle(() => this.#channel.ack(message as ConsumeMessage));
  }

  /** A return at a stop: since RabbitMQ 4.3 it counts as no failure. */
  giveBack(message: Tagged): boolean {
    return this.#settle(() => this.#channel.nack(message as ConsumeMessage, false, true));
  }

  /** A return because of a failure, which quorum queues count. */
  fail(message: Tagged): boolean {
    return this.#settle(() => this.#channel.reject(message as ConsumeMessage, true));
  }

  /**
   * Ends the consumer so that nothing which the broker has already sent comes twice: acknowledgements are held, so that the
   * broker sends nothing more once its prefetch is used up; when it has been quiet for a while, it is told to cancel; when it
   * has confirmed that, nothing is on its way any more, and the acknowledgements go.
   *
   * @param isOrdered then the message that runs is finished first: where a queue has a single active consumer, the
   *   next one starts as soon as this one is cancelled
   */
  async cancel(isOrdered: boolean): Promise<void> {
    if (!this.#isOpen) return;
    this.#held = [];
    const beginning = performance.now();
    const { prefetch, consumerTag, rpcTimeoutMs } = this.#options;
    const isQuiet = (): boolean => {
      const now = performance.now();
      if (isOrdered && this.#unsettled > 0) return this.#held?.length === this.#unsettled;
      return this.#unsettled >= prefetch || now - Math.max(this.#lastDelivery, beginning) >= quietMs || now - beginning >= longestHoldMs;
    };
    while (this.#isOpen && !isQuiet()) await new Promise((resolve) => setTimeout(resolve, 10));
    try {
      if (this.#isOpen) await within(this.#channel.cancel(consumerTag), rpcTimeoutMs, "cancelling a consumer");
    } catch {
      // Then the channel, or its broker, is gone; closing gives everything back.
    }
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const settle of held) settle();
  }

  /** Gives back everything that is not settled, in its order, and closes. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const settle of held) settle();
    try {
      // Singly, they would come back in another order.
      if (this.#unsettled > 0) this.#channel.nack({ fields: { deliveryTag: this.#highestTag } } as ConsumeMessage, true, true);
      this.#isOpen = false;
      await within(this.#channel.close(), this.#options.rpcTimeoutMs, "closing a channel");
    } catch {
      // It is closed already, or its connection is.
    }
    this.#close(undefined);
  }

  #received(message: ConsumeMessage | null): void {
    if (message === null) {
      const { queue } = this.#options;
      this.#end(new BrokerError("cancelled", `RabbitMQ ended the subscription to ${queue}: it was deleted, or has moved`));
      return;
    }
    this.#unsettled += 1;
    this.#highestTag = message.fields.deliveryTag;
    this.#lastDelivery = performance.now();
    this.#options.onMessage(message, this);
  }

  #settle(settle: () => void): boolean {
    if (!this.#isOpen) return false;
    const send = (): void => {
      this.#unsettled -= 1;
      try {
        settle();
      } catch {
        // The channel has closed in this very moment: the broker hands the message out again.
      }
    };
    if (this.#held === undefined) send();
    else this.#held.push(send);
    return true;
  }

  #close(reason: BrokerError | undefined): void {
    this.#isOpen = false;
    this.#held = undefined;
    this.#end(reason);
  }
}

function connectionLost(): BrokerError {
  return new BrokerError("connection_lost", "the connection to RabbitMQ was lost");
}
