import { messageBytes } from "../message-bytes.ts";
import { millisecondsOf } from "../milliseconds.ts";
import { PublishError } from "../publish-error.ts";
import type { PublisherParts } from "../publisher.ts";
import { AmqpConnection } from "./connection.ts";
import { loadLibrary, type AmqpLibrary } from "./library.ts";
import type { AmqpPublishOptions } from "./publish-options.ts";
import { AmqpPublishing } from "./publishing.ts";
import type { AmqpSettings } from "./settings.ts";
import { encodeRoutingKey } from "./source.ts";
import { typedHeaders } from "./typed-headers.ts";

/** How many messages may wait for their confirmation; more would be memory that nobody bounds. */
const mostOutstanding = 10_000;
const closeTimeoutMs = 5000;

/** Publishes to RabbitMQ, on a connection of its own that is opened when it is first needed. */
export class AmqpPublisher {
  readonly #settings: AmqpSettings;
  readonly #parts: PublisherParts;
  readonly #connection: AmqpConnection;
  readonly #publishing: AmqpPublishing;
  readonly #outstanding = new Set<Promise<unknown>>();
  readonly #load: typeof loadLibrary;
  #library: AmqpLibrary | undefined;
  #isClosed = false;

  /** @param load the library, when it is needed first */
  constructor(settings: AmqpSettings, parts: PublisherParts, load: typeof loadLibrary = loadLibrary) {
    this.#load = load;
    this.#settings = settings;
    this.#parts = parts;
    this.#connection = new AmqpConnection({
      settings,
      log: parts.log,
      library: () => this.#library as AmqpLibrary,
      name: "tsserve publisher",
    });
    this.#publishing = new AmqpPublishing(this.#connection, settings);
  }

  /** @throws {BrokerError} `library` */
  async prepare(): Promise<void> {
    this.#library ??= this.#load("publishing to RabbitMQ", this.#settings.folder);
  }

  async publish(routingKey: string, data: unknown, options: AmqpPublishOptions = {}): Promise<void> {
    if (this.#isClosed) throw new PublishError("UNAVAILABLE", "not sent: the publisher is closed");
    if (this.#outstanding.size >= mostOutstanding)
      throw new PublishError("UNAVAILABLE", `not sent: ${mostOutstanding} messages wait for their confirmation already`);
    await this.prepare();
    const { exchange = this.#settings.exchange, headers, messageId = this.#parts.makeId(), persistent = true } = options;
    const { bytes, contentType } = messageBytes(data);
    const key =
      exchange === "" ? this.#settings.queueNamePrefix + routingKey : encodeRoutingKey(this.#settings.routingKeyPrefix + routingKey);
    const publishing = this.#publishing.publish({
      exchange,
      routingKey: key,
      content: bytes,
      timeoutMs: options.timeout === undefined ? this.#settings.connectTimeoutMs : millisecondsOf(options.timeout),
      options: {
        persistent,
        messageId,
        timestamp: Math.floor(Date.now() / 1000),
        contentType: options.contentType ?? contentType,
        headers: typedHeaders({ ...this.#parts.headers(), ...headers }),
        ...(options.correlationId === undefined ? {} : { correlationId: options.correlationId }),
        ...(options.priority === undefined ? {} : { priority: options.priority }),
      },
    });
    this.#outstanding.add(publishing);
    try {
      await publishing;
    } finally {
      this.#outstanding.delete(publishing);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const settled = Promise.allSettled(this.#outstanding);
    await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, closeTimeoutMs).unref())]);
    await this.#connection.close();
  }
}
