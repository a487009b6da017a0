import { EventEmitter } from "node:events";
import type { ChannelModel, ConsumeMessage } from "amqplib";
import type { AmqpLibrary } from "./library.ts";

/** A method of a channel that was called, with what it was called with. */
export type Call = readonly [method: string, ...args: unknown[]];

/** What a method does instead: an error, or no answer for ever. */
export type Fault = Error | "silence";

/** An error as amqplib makes it of what the broker says. */
export function refusal(code: number, text: string): Error {
  return Object.assign(new Error(text), { code });
}

/** What RabbitMQ does, as far as the code beside this needs it: for its tests, in memory. */
export class FakeBroker {
  readonly calls: Call[] = [];
  readonly queues: Map<string, unknown> = new Map();
  readonly exchanges: Set<string> = new Set();
  /** By the name of the method. */
  readonly faults: Map<string, Fault> = new Map();
  readonly channels: FakeChannel[] = [];
  /** The connections that were opened. */
  readonly models: FakeModel[] = [];
  /** What it says of itself when a connection is opened. */
  readonly serverProperties = { product: "RabbitMQ", version: "4.1.0" };
  /** What a publication ends with: confirmed, unless it is told otherwise. */
  onPublish: (channel: FakeChannel, routingKey: string, confirm: (error: unknown) => void) => void = (_, __, confirm) => confirm(null);

  /** Has a queue. */
  with(queue: string): this {
    this.queues.set(queue, {});
    return this;
  }

  /** The library, as far as it connects to this. */
  get library(): AmqpLibrary {
    return { connect: () => Promise.resolve(this.connect()) } as unknown as AmqpLibrary;
  }

  /** A connection to it. */
  connect(): ChannelModel {
    const model = new FakeModel(this);
    this.models.push(model);
    return model as unknown as ChannelModel;
  }

  called(method: string): unknown[][] {
    return this.calls.filter(([name]) => name === method).map(([, ...args]) => args);
  }

  /** Answers a call, or does what its fault says. */
  answer<T>(channel: FakeChannel | undefined, call: Call, value: T): Promise<T> {
    this.calls.push(call);
    const fault = this.faults.get(call[0]);
    if (fault === "silence") return new Promise(() => undefined);
    if (fault !== undefined) return channel === undefined ? Promise.reject(fault) : channel.fail(fault);
    return Promise.resolve(value);
  }
}

export class FakeModel extends EventEmitter {
  readonly connection: object;
  readonly #broker: FakeBroker;

  constructor(broker: FakeBroker) {
    super();
    this.#broker = broker;
    const stream = { destroy: (error: Error): void => void this.emit("close", error) };
    this.connection = { heartbeat: 60, stream, serverProperties: broker.serverProperties };
  }

  createChannel(): Promise<FakeChannel> {
    const channel = new FakeChannel(this.#broker);
    this.#broker.channels.push(channel);
    return this.#broker.answer(undefined, ["createChannel"], channel);
  }

  createConfirmChannel(): Promise<FakeChannel> {
    return this.createChannel();
  }

  close(): Promise<void> {
    return this.#broker.answer(undefined, ["closeConnection"], undefined);
  }
}

export class FakeChannel extends EventEmitter {
  readonly #broker: FakeBroker;
  isClosed = false;
  #onMessage: (message: ConsumeMessage | null) => void = () => undefined;
  #tag = 0;

  constructor(broker: FakeBroker) {
    super();
    this.#broker = broker;
  }

  /** Hands a message to the consumer; `null` is what a cancel by the broker looks like. */
  deliver(content: string | null, properties: object = {}, fields: object = {}): void {
    this.#tag += 1;
    this.#onMessage(content === null ? null : aMessage(content, properties, { deliveryTag: this.#tag, ...fields }));
  }

  /** As the broker does when it is asked for what can't be: the channel is gone. */
  fail<T>(error: Error): Promise<T> {
    this.isClosed = true;
    this.emit("error", error);
    this.emit("close");
    return Promise.reject(error);
  }

  prefetch(count: number): Promise<void> {
    return this.#broker.answer(this, ["prefetch", count], undefined);
  }

  consume(queue: string, onMessage: (message: ConsumeMessage | null) => void, options: object): Promise<object> {
    if (!this.#broker.queues.has(queue)) return this.#missing("queue", queue);
    // What stands in for another is handed nothing.
    if (!("arguments" in options)) this.#onMessage = onMessage;
    return this.#broker.answer(this, ["consume", queue, options], {});
  }

  cancel(tag: string): Promise<void> {
    return this.#broker.answer(this, ["cancel", tag], undefined);
  }

  ack({ fields: { deliveryTag } }: ConsumeMessage, multiple: boolean): void {
    this.#send(["ack", deliveryTag, multiple]);
  }

  nack({ fields: { deliveryTag } }: ConsumeMessage, multiple: boolean, requeue: boolean): void {
    this.#send(["nack", deliveryTag, multiple, requeue]);
  }

  reject({ fields: { deliveryTag } }: ConsumeMessage, requeue: boolean): void {
    this.#send(["reject", deliveryTag, requeue]);
  }

  #send(call: Call): void {
    if (this.isClosed) throw new Error("Channel closed");
    this.#broker.calls.push(call);
  }

  checkQueue(queue: string): Promise<object> {
    if (!this.#broker.queues.has(queue)) return this.#missing("queue", queue);
    return this.#broker.answer(this, ["checkQueue", queue], {});
  }

  assertQueue(queue: string, { arguments: wanted }: { readonly arguments?: unknown }): Promise<object> {
    const { queues } = this.#broker;
    const known = queues.get(queue);
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(wanted))
      return this.fail(refusal(406, `PRECONDITION_FAILED - inequivalent arg for queue '${queue}'`));
    queues.set(queue, wanted);
    return this.#broker.answer(this, ["assertQueue", queue, wanted], {});
  }

  checkExchange(exchange: string): Promise<object> {
    if (!this.#broker.exchanges.has(exchange)) return this.#missing("exchange", exchange);
    return this.#broker.answer(this, ["checkExchange", exchange], {});
  }

  assertExchange(exchange: string, type: string, options: object): Promise<object> {
    this.#broker.exchanges.add(exchange);
    return this.#broker.answer(this, ["assertExchange", exchange, type, options], {});
  }

  bindQueue(queue: string, exchange: string, key: string): Promise<object> {
    return this.#broker.answer(this, ["bindQueue", queue, exchange, key], {});
  }

  publish(exchange: string, routingKey: string, content: Buffer, options: object, confirm: (error: unknown) => void): boolean {
    this.#send(["publish", exchange, routingKey, content.toString(), options]);
    this.#broker.onPublish(this, routingKey, confirm);
    return true;
  }

  close(): Promise<void> {
    if (this.isClosed) return Promise.reject(new Error("Channel closed"));
    this.isClosed = true;
    queueMicrotask(() => this.emit("close"));
    return this.#broker.answer(undefined, ["close"], undefined);
  }

  #missing(kind: string, name: string): Promise<object> {
    this.#broker.calls.push([`check ${kind}`, name]);
    return this.fail(refusal(404, `NOT_FOUND - no ${kind} '${name}' in vhost '/'`));
  }
}

/** A message as amqplib hands it over. */
export function aMessage(content: string, properties: object = {}, fields: object = {}): ConsumeMessage {
  return {
    content: Buffer.from(content),
    properties,
    fields: { deliveryTag: 1, redelivered: false, exchange: "amq.topic", routingKey: "order.new", consumerTag: "c", ...fields },
  } as unknown as ConsumeMessage;
}
