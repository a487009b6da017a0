import type { Logger } from "pino";
import type { Broker, Sink, Subscription } from "../broker.ts";
import type { ConsumerDefinition } from "../consumer-definition.ts";
import { AmqpConnection } from "./connection.ts";
import { FailedMessages } from "./failed-messages.ts";
import { loadLibrary, type AmqpLibrary } from "./library.ts";
import { AmqpPublishing } from "./publishing.ts";
import type { AmqpSettings } from "./settings.ts";
import { AmqpSubscription } from "./subscription.ts";

/** A socket is connected, and written to for the first time, when the event loop has turned; it may be in the middle of a turn now. */
const turnsToWrite = 2;

/** RabbitMQ: one connection to consume by, another one for retries and dead letters, which is opened when it is needed. */
export class AmqpBroker implements Broker {
  readonly #settings: AmqpSettings;
  readonly #log: Logger;
  readonly #consuming: AmqpConnection;
  readonly #publishing: AmqpConnection;
  readonly #failedMessages: FailedMessages;
  readonly #load: typeof loadLibrary;
  #library: AmqpLibrary | undefined;

  /** @param load the library, when it is needed first */
  constructor(settings: AmqpSettings, log: Logger, load: typeof loadLibrary = loadLibrary) {
    this.#load = load;
    this.#settings = settings;
    this.#log = log;
    const library = (): AmqpLibrary => this.#library as AmqpLibrary;
    this.#consuming = new AmqpConnection({ settings, log, library, name: "tsserve consumer" });
    this.#publishing = new AmqpConnection({ settings, log, library, name: "tsserve publisher" });
    this.#failedMessages = new FailedMessages(new AmqpPublishing(this.#publishing, settings), settings);
  }

  async prepare(consumer: string): Promise<void> {
    if (this.#library !== undefined) return;
    this.#library = this.#load(`consumer "${consumer}"`, this.#settings.folder);
    this.#consuming.begin();
    // The broker takes some milliseconds to answer: with what opens the connection written, what there still is to do at a start is done
    // meanwhile.
    for (let turn = 0; turn < turnsToWrite; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  subscribe(consumer: ConsumerDefinition, sink: Sink): Subscription {
    const { source } = consumer;
    if (source.system !== "rabbitmq") throw new TypeError("expected a consumer of AMQP");
    const parts = { settings: this.#settings, connection: this.#consuming, failedMessages: this.#failedMessages, log: this.#log };
    return new AmqpSubscription(consumer, source, sink, parts);
  }

  async close(): Promise<void> {
    await Promise.all([this.#consuming.close(), this.#publishing.close()]);
  }
}
