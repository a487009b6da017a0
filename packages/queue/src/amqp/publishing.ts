import type { ConfirmChannel, Message, Options } from "amqplib";
import { timerMs } from "@tsserve/server";
import { BrokerError } from "../outcome-errors.ts";
import { PublishError } from "../publish-error.ts";
import { within } from "../within.ts";
import type { AmqpConnection } from "./connection.ts";
import type { AmqpSettings } from "./settings.ts";
import { declareAnew, declareBeside, declareExchange } from "./topology.ts";

/** What is published, and what must be there for it. */
export interface Publication {
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Buffer;
  readonly options: Options.Publish;
  /** A queue of ours, declared when it is first needed. */
  readonly declare?: {
    readonly queue: string;
    readonly arguments: Readonly<Record<string, unknown>>;
    /** It expires when it is not used, which publishing does not count as: it is declared each time. */
    readonly isTemporary?: boolean;
  };
  /** Default `amqp.connect_timeout`. */
  readonly timeoutMs?: number;
}

interface Outstanding {
  readonly publication: Publication;
  returned: string | undefined;
}

/**
 * Publishes with confirms, `mandatory` always: without it the broker confirms what it has thrown away. On a connection of
 * its own, because one that has published is blocked in a memory alarm, its acknowledgements too.
 */
export class AmqpPublishing {
  readonly #connection: AmqpConnection;
  readonly #settings: AmqpSettings;
  #channel: ConfirmChannel | undefined;
  #opening: Promise<ConfirmChannel> | undefined;
  #channelError: Error | undefined;
  readonly #outstanding = new Set<Outstanding>();
  readonly #declared = new Set<string>();

  constructor(connection: AmqpConnection, settings: AmqpSettings) {
    this.#connection = connection;
    this.#settings = settings;
  }

  /** Resolves when the broker has it, on disk where its queue is durable. @throws {PublishError} */
  async publish(publication: Publication): Promise<void> {
    const timeoutMs = publication.timeoutMs ?? this.#settings.connectTimeoutMs;
    const endsAt = performance.now() + timeoutMs;
    const channel = await this.#ready(timeoutMs);
    if (this.#connection.blockedBecause !== undefined)
      throw new PublishError("UNAVAILABLE", `RabbitMQ takes no messages for now: ${this.#connection.blockedBecause}`);
    await this.#declare(publication);
    await this.#send(channel, publication, Math.max(1, endsAt - performance.now()));
  }

  async #ready(timeoutMs: number): Promise<ConfirmChannel> {
    if (this.#channel !== undefined) return this.#channel;
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
    try {
      return await within(this.#opening, timeoutMs, "connecting to RabbitMQ");
    } catch (error) {
      throw new PublishError("UNAVAILABLE", `not sent: ${(error as Error).message}`, { cause: error });
    }
  }

  async #open(): Promise<ConfirmChannel> {
    const model = await this.#connection.open();
    let channel: ConfirmChannel;
    try {
      channel = await within(model.createConfirmChannel(), this.#settings.connectTimeoutMs, "opening a channel");
    } catch (error) {
      if (error instanceof BrokerError) this.#connection.abandon(model, error);
      throw error;
    }
    this.#channelError = undefined;
    this.#declared.clear();
    channel.on("error", (error) => {
      if (this.#channel === channel) this.#channelError = error;
    });
    channel.on("handler-error", () => undefined);
    channel.on("close", () => {
      if (this.#channel === channel) this.#channel = undefined;
    });
    channel.on("return", (message) => this.#returned(message));
    this.#channel = channel;
    return channel;
  }

  async #declare({ declare, exchange }: Publication): Promise<void> {
    const isOfBroker = exchange === "" || exchange.startsWith("amq.");
    if (declare === undefined && (isOfBroker || !this.#settings.declares)) return;
    const key = declare === undefined ? `exchange ${exchange}` : `queue ${declare.queue}`;
    if (this.#declared.has(key)) return;
    const rpcTimeoutMs = this.#settings.connectTimeoutMs;
    try {
      const model = await this.#connection.open();
      if (declare?.isTemporary === true) await declareAnew(model, declare.queue, declare.arguments, rpcTimeoutMs);
      else if (declare !== undefined) await declareBeside(model, declare.queue, declare.arguments, rpcTimeoutMs);
      else await declareExchange(model, exchange, rpcTimeoutMs);
    } catch (error) {
      throw new PublishError("REFUSED", `not sent: ${(error as Error).message}`, { cause: error });
    }
    if (declare?.isTemporary !== true) this.#declared.add(key);
  }

  #send(channel: ConfirmChannel, publication: Publication, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const outstanding: Outstanding = { publication, returned: undefined };
      const end = (error?: PublishError): void => {
        clearTimeout(timer);
        this.#outstanding.delete(outstanding);
        if (error === undefined) resolve();
        else reject(error);
      };
      const timer = setTimeout(() => {
        const why = this.#connection.blockedBecause;
        const because = why === undefined ? "" : ` (it takes no messages for now: ${why})`;
        end(new PublishError("TIMEOUT", `RabbitMQ did not confirm the message in time${because}: it may have been sent`));
      }, timerMs(timeoutMs));
      this.#outstanding.add(outstanding);
      const { exchange, routingKey, content, options } = publication;
      try {
        channel.publish(exchange, routingKey, content, { ...options, mandatory: true }, (error: unknown) => {
          if (error === null || error === undefined) end(this.#errorOfReturned(outstanding));
          else end(this.#errorOf(error, publication));
        });
      } catch (cause) {
        // Nothing was written: the channel has just closed, or the headers can't be encoded.
        end(new PublishError(this.#channel === channel ? "REFUSED" : "UNAVAILABLE", `not sent: ${(cause as Error).message}`, { cause }));
      }
    });
  }

  #errorOf(error: unknown, { exchange, content }: Publication): PublishError {
    const text = error instanceof Error ? error.message : String(error);
    if (/nacked/.test(text)) return new PublishError("NACK", "RabbitMQ refused the message (nack)", { cause: error });
    // What one message did closes the channel for all that are on their way.
    const cause = this.#channelError;
    const isOurs = cause?.message.includes(`'${exchange}'`) === true || cause?.message.includes(`size ${content.length} `) === true;
    if (cause !== undefined && isOurs) return new PublishError("REFUSED", `RabbitMQ refused the message: ${cause.message}`, { cause });
    return new PublishError("LOST", "the connection to RabbitMQ was lost before it confirmed the message: it may have been sent", {
      cause: cause ?? error,
    });
  }

  #errorOfReturned({ returned, publication: { exchange, routingKey, declare } }: Outstanding): PublishError | undefined {
    if (returned === undefined) return undefined;
    // The queue was deleted in the meantime: it is declared anew next time.
    if (declare !== undefined) this.#declared.delete(`queue ${declare.queue}`);
    const where = exchange === "" ? `no queue "${routingKey}"` : `no queue that is bound to the exchange "${exchange}" for "${routingKey}"`;
    return new PublishError("NO_ROUTE", `RabbitMQ has ${where}: the message was not delivered (${returned})`);
  }

  /** The broker sends a message back before it confirms it. */
  #returned(message: Message): void {
    const { messageId } = message.properties as { readonly messageId: unknown };
    const { exchange, routingKey } = message.fields;
    const { replyText = "NO_ROUTE" } = message.fields as { readonly replyText?: string };
    for (const outstanding of this.#outstanding) {
      const { publication } = outstanding;
      const isIt =
        outstanding.returned === undefined &&
        publication.exchange === exchange &&
        publication.routingKey === routingKey &&
        publication.options.messageId === messageId;
      if (!isIt) continue;
      outstanding.returned = replyText;
      return;
    }
  }
}
