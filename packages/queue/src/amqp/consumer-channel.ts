import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import { BrokerError } from "../outcome-errors.ts";
import { within } from "../within.ts";
import { explainChannelError } from "./explain-error.ts";
import { addStandIn, needsStandIn } from "./stand-in.ts";
import { Unsettled, type UnsettledDelivery } from "./unsettled.ts";

/** How long no delivery may have come before a consumer is cancelled: what is on its way is then likely to have arrived. */
const quietMs = 150;
/** How long acknowledgements are held for that, at most. */
const longestHoldMs = 500;
const lookEveryMs = 10;
/**
 * What leaves after so long may have blocked the event loop, and the connection may be gone without our knowing: what is written then
 * is written to nobody. A broker waits for two seconds at least.
 */
const mayHaveBlockedMs = 1000;

export interface ConsumerChannelOptions {
  readonly queue: string;
  readonly prefetch: number;
  readonly consumerTag: string;
  readonly rpcTimeoutMs: number;
  /** One message at a time, which has left before the next one goes to whomever. */
  readonly isOrdered: boolean;
  /** Whether the queue hands messages to one of its consumers only, and to the next one when that has gone. */
  readonly hasSingleActive: boolean;
  /** Messages may come before `open` has resolved: in one piece with the broker's answer. */
  onMessage(message: ConsumeMessage, channel: ConsumerChannel, delivery: UnsettledDelivery): void;
  /** An acknowledgement of it was never told, or most likely not: the broker has taken it back. */
  onUnheard(delivery: UnsettledDelivery): void;
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
  readonly #needsStandIn: boolean;
  readonly #unsettled = new Unsettled();
  #isOpen = true;
  #isCancelled = false;
  /** Whether another consumer waits for the channel to close. */
  #hasStandIn = false;
  /** How many have come. */
  #delivered = 0;
  /** Whether acknowledgements wait until the consumer is cancelled. */
  #holds = false;
  #isFlushing = false;
  /** Told to a broker that may not be there any more: it answers a question that was asked after them, or the channel closes. */
  #inDoubt: UnsettledDelivery[] = [];
  #isAsking = false;
  #end: (reason: BrokerError | undefined) => void = () => undefined;

  private constructor(channel: Channel, options: ConsumerChannelOptions, needsOne: boolean) {
    this.#channel = channel;
    this.#options = options;
    this.#needsStandIn = needsOne;
    this.ended = new Promise((resolve) => (this.#end = resolve));
    let error: Error | undefined;
    // Without a listener, an error would end the process.
    channel.on("error", (reason) => (error = reason));
    // What a listener throws would else be thrown into amqplib's parser. A delivery after a cancel, for one, finds no consumer.
    channel.on("handler-error", (reason) => options.onError(reason));
    channel.on("close", () => {
      if (!this.#isOpen) this.#close(undefined);
      else this.#close(error === undefined ? connectionLost() : explainChannelError(error, `the channel of ${options.queue}`));
    });
  }

  /** Opens a channel and consumes. @throws what the broker says */
  static async open(model: ChannelModel, options: ConsumerChannelOptions): Promise<ConsumerChannel> {
    const { queue, rpcTimeoutMs, prefetch, consumerTag } = options;
    const raw = await within(model.createChannel(), rpcTimeoutMs, "opening a channel");
    const channel = new ConsumerChannel(raw, options, options.hasSingleActive && needsStandIn(model));
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
  acknowledge(delivery: UnsettledDelivery): boolean {
    if (!this.#isOpen) {
      if (this.#unsettled.remove(delivery)) this.#options.onUnheard(delivery);
      return false;
    }
    if (!this.#unsettled.acknowledge(delivery)) return false;
    // Those that end in the same turn of the event loop go together: amqplib writes no sooner than at its end.
    if (!this.#isFlushing && !this.#holds) {
      this.#isFlushing = true;
      setImmediate(() => this.#flushAtEndOfTurn());
    }
    return true;
  }

  /** A return at a stop: since RabbitMQ 4.3 it counts as no failure. While the consumer is about to end, it waits for that. */
  giveBack(delivery: UnsettledDelivery): void {
    if (this.#holds && !this.#isCancelled) this.keep(delivery);
    else if (this.#isOpen && this.#unsettled.remove(delivery)) this.#send(() => this.#channel.nack(tagged(delivery.tag), false, true));
    this.#closeWhenDone();
  }

  /** Gives it back when the channel closes: a consumer that is not cancelled would get it at once. */
  keep(delivery: UnsettledDelivery): void {
    this.#unsettled.keep(delivery);
  }

  /** A return because of a failure, which quorum queues count. */
  fail(delivery: UnsettledDelivery): void {
    if (this.#isOpen && this.#unsettled.remove(delivery)) this.#send(() => this.#channel.reject(tagged(delivery.tag), true));
    this.#closeWhenDone();
  }

  /**
   * Ends the consumer so that nothing which the broker has already sent comes twice: acknowledgements are held, so that the
   * broker sends nothing more once its prefetch is used up; when it has been quiet for a while, it is told to cancel; when it
   * has confirmed that, nothing is on its way any more, and the acknowledgements go.
   *
   * In order, the message that runs is finished first: where a queue has a single active consumer, the next one starts as soon as
   * this one is cancelled. Where none is to be acknowledged, the channel is closed: what goes back, or has just been sent, is then the first
   * that the next consumer gets, where a cancel would let that one begin with the message after it.
   */
  async cancel(): Promise<void> {
    if (!this.#isOpen) return;
    this.#holds = true;
    await this.#untilQuiet();
    if (this.#options.isOrdered && this.#unsettled.leaving === 0) return this.close();
    try {
      if (this.#isOpen) await this.#cancelConsumer();
      this.#isCancelled = true;
    } catch {
      // Then the channel, or its broker, is gone; closing gives everything back.
    }
    this.#holds = false;
    this.#flush();
    if (this.#isDone) await this.close();
  }

  async #cancelConsumer(): Promise<void> {
    const { queue, consumerTag, rpcTimeoutMs } = this.#options;
    if (this.#needsStandIn) {
      const adding = addStandIn(this.#channel, queue, `${consumerTag}-leaving`);
      await within(adding, rpcTimeoutMs, "adding a consumer that takes the place of one");
      this.#hasStandIn = true;
    }
    await within(this.#channel.cancel(consumerTag), rpcTimeoutMs, "cancelling a consumer");
  }

  /** Whether nothing is left to do but to let the next consumer begin. */
  get #isDone(): boolean {
    return this.#hasStandIn && this.#isCancelled && this.#unsettled.size === 0;
  }

  #closeWhenDone(): void {
    if (this.#isDone) void this.close();
  }

  /** Gives back everything that is not settled, in its order, and closes. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#holds = false;
    this.#flush();
    try {
      // Singly, they would come back in another order; to a consumer that is not cancelled, they would come before the channel is closed.
      const { highestTag } = this.#unsettled;
      if (this.#isCancelled && highestTag !== undefined) this.#channel.nack(tagged(highestTag), true, true);
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
    // It goes back with the channel.
    if (!this.#isOpen) return;
    this.#delivered += 1;
    this.#options.onMessage(message, this, this.#unsettled.add(message.fields.deliveryTag));
  }

  /** Resolves when it is likely that the broker has nothing on its way. */
  async #untilQuiet(): Promise<void> {
    const { prefetch, isOrdered } = this.#options;
    const unsettled = this.#unsettled;
    const beginning = performance.now();
    let quietSince = beginning;
    let delivered = this.#delivered;
    while (this.#isOpen) {
      const now = performance.now();
      if (this.#delivered !== delivered) {
        delivered = this.#delivered;
        quietSince = now;
      }
      if (isOrdered && unsettled.size > 0) {
        if (unsettled.leaving + unsettled.kept === unsettled.size) return;
      } else if (unsettled.size >= prefetch || now - quietSince >= quietMs || now - beginning >= longestHoldMs) return;
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    }
  }

  #flushAtEndOfTurn(): void {
    this.#isFlushing = false;
    if (this.#holds) return;
    const leaving =
      this.#isAsking || this.#unsettled.hasLeavingFromBefore(performance.now() - mayHaveBlockedMs) ? this.#unsettled.listLeaving() : [];
    this.#flush();
    if (leaving.length > 0) this.#ask(leaving);
    this.#closeWhenDone();
  }

  /**
   * AMQP confirms no acknowledgement, but answers questions in the order of all that a channel sends. So an answer says that what was
   * sent before has arrived. The question is the harmless one that changes nothing.
   */
  #ask(told: readonly UnsettledDelivery[]): void {
    this.#inDoubt.push(...told);
    if (this.#isAsking || !this.#isOpen) return;
    this.#isAsking = true;
    const { length } = this.#inDoubt;
    void this.#answerOf(() => this.#channel.prefetch(this.#options.prefetch)).then((isAnswered) => {
      this.#isAsking = false;
      // Without an answer the channel is gone, or about to be.
      if (!isAnswered || !this.#isOpen) return;
      this.#inDoubt = this.#inDoubt.slice(length);
      if (this.#inDoubt.length > 0) this.#ask([]);
    });
  }

  async #answerOf(question: () => Promise<unknown>): Promise<boolean> {
    try {
      await question();
      return true;
    } catch {
      return false;
    }
  }

  #flush(): void {
    if (this.#isOpen) this.#send(() => this.#unsettled.flush((tag, multiple) => this.#channel.ack(tagged(tag), multiple)));
  }

  #send(send: () => void): void {
    try {
      send();
    } catch {
      // The channel has closed in this very moment: the broker hands out again what it has not heard of.
    }
  }

  #close(reason: BrokerError | undefined): void {
    this.#isOpen = false;
    for (const delivery of [...this.#inDoubt, ...this.#unsettled.takeLeaving()]) this.#options.onUnheard(delivery);
    this.#inDoubt = [];
    this.#end(reason);
  }
}

/** The part of a message that amqplib's functions read. */
function tagged(deliveryTag: number): ConsumeMessage {
  return { fields: { deliveryTag } } as ConsumeMessage;
}

function connectionLost(): BrokerError {
  return new BrokerError("connection_lost", "the connection to RabbitMQ was lost");
}
