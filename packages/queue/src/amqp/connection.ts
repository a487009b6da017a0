import { hostname } from "node:os";
import type { ChannelModel } from "amqplib";
import type { Logger } from "pino";
import { systemClock, wait } from "@tsserve/server";
import { backOff } from "../back-off.ts";
import { BrokerError } from "../outcome-errors.ts";
import { within } from "../within.ts";
import { explainConnectError } from "./explain-error.ts";
import type { AmqpLibrary } from "./library.ts";
import type { AmqpSettings } from "./settings.ts";
import { surviveHeaders, type FrameReader } from "./survive-headers.ts";
import { tlsOptions } from "./tls-options.ts";

/** How long the broker may take to say that it has read all that we sent. */
const closeTimeoutMs = 2000;

export interface AmqpConnectionOptions {
  readonly settings: AmqpSettings;
  /** Loaded by now. */
  library(): AmqpLibrary;
  /** Shown by the broker's management page. */
  readonly name: string;
  readonly log: Logger;
}

/** The parts of amqplib's connection that its types leave out (github.com/amqp-node/amqplib, lib/connection.js). */
interface Internals {
  readonly heartbeat: number;
  readonly stream: { destroy(error: Error): void };
}

/**
 * A connection that is opened when it is first asked for, and again whenever it is lost, for ever. Every step has a bound:
 * amqplib itself waits without one for a peer that accepts and then says nothing.
 */
export class AmqpConnection {
  readonly #options: AmqpConnectionOptions;
  #model: ChannelModel | undefined;
  #opening: Promise<ChannelModel> | undefined;
  readonly #ending = new AbortController();
  #failures = 0;
  #nextHost = 0;
  #saidHeartbeat = false;
  /** Why the broker takes no messages from us for now. */
  blockedBecause: string | undefined;
  /** The last reason why it could not be opened, or was lost. */
  lastError: BrokerError | undefined;

  constructor(options: AmqpConnectionOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#model !== undefined;
  }

  /**
   * One try to have it open, which all that ask at the same time share. After tries that failed, it waits a little first.
   *
   * @throws {BrokerError}
   */
  open(): Promise<ChannelModel> {
    if (this.#model !== undefined) return Promise.resolve(this.#model);
    this.#opening ??= this.#try().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  /** Begins a try, beside what else there is to do. Who opens it next gets what comes of it, or tries anew where that has failed. */
  begin(): void {
    this.open().catch(() => undefined);
  }

  /** Gives up a connection whose peer does not answer any more: the next one is a new one. */
  abandon(model: ChannelModel, error: BrokerError): void {
    if (this.#model !== model) return;
    this.#lost(model, error);
    (model.connection as unknown as Internals).stream.destroy(error);
  }

  /** Resolves when the broker has read everything, or has had two seconds for it. */
  async close(): Promise<void> {
    this.#ending.abort();
    // One that is being opened is given up by the signal.
    const model = this.#model ?? (await this.#opening?.catch(() => undefined));
    this.#model = undefined;
    if (model === undefined) return;
    try {
      await within(model.close(), closeTimeoutMs, "closing the connection");
    } catch {
      (model.connection as unknown as Internals).stream.destroy(new Error("the broker did not close the connection in time"));
    }
  }

  async #try(): Promise<ChannelModel> {
    if (this.#failures > 0) await wait(systemClock, backOff(this.#failures - 1), this.#ending.signal);
    if (this.#ending.signal.aborted) throw new BrokerError("connection_lost", "the connection is closed for good", { isPermanent: true });
    const { hosts } = this.#options.settings;
    const host = hosts[this.#nextHost % hosts.length] ?? "";
    this.#nextHost += 1;
    try {
      const model = await this.#connect(host);
      this.#failures = 0;
      this.#watch(model);
      return model;
    } catch (error) {
      this.#failures += 1;
      this.lastError = explainConnectError(error, host, this.#options.settings);
      throw this.lastError;
    }
  }

  async #connect(host: string): Promise<ChannelModel> {
    const { settings, library, name } = this.#options;
    const { connectTimeoutMs, tls } = settings;
    const giveUp = new AbortController();
    const address = {
      protocol: tls === undefined ? "amqp" : "amqps",
      hostname: host,
      port: settings.port,
      username: settings.login,
      password: settings.password,
      vhost: encodeURIComponent(settings.virtualHost),
      heartbeat: settings.heartbeatSeconds,
    };
    const opening = library().connect(address, {
      noDelay: true,
      keepAlive: true,
      keepAliveDelay: 30_000,
      timeout: connectTimeoutMs,
      // amqplib hands its options on to `net.connect`: with the signal, the socket goes too when we give up.
      signal: AbortSignal.any([giveUp.signal, this.#ending.signal]),
      clientProperties: { connection_name: `${name} ${hostname()} ${process.pid}` },
      ...(tls && tlsOptions(tls)),
    } as Parameters<AmqpLibrary["connect"]>[1]);
    try {
      return await within(opening as Promise<ChannelModel>, connectTimeoutMs, `RabbitMQ at ${host}:${settings.port}`);
    } catch (error) {
      // Should it come after all, nobody wants it any more.
      (opening as Promise<ChannelModel>).then(
        (late) => late.close(),
        () => undefined,
      );
      giveUp.abort();
      throw error;
    }
  }

  #watch(model: ChannelModel): void {
    const { settings, log, name } = this.#options;
    this.#model = model;
    let error: Error | undefined;
    // Without a listener, an error would end the process.
    model.on("error", (reason) => (error = reason));
    model.on("handler-error", (reason: unknown) => log.error({ err: reason }, `a listener of the connection ${name} failed`));
    model.on("close", (reason?: Error) => {
      const said = (error ?? reason)?.message ?? "it was closed";
      this.#lost(model, new BrokerError("connection_lost", `the connection to RabbitMQ was lost: ${said}`, { cause: error ?? reason }));
    });
    model.on("blocked", (reason: string) => {
      this.blockedBecause = reason;
      log.warn({ reason }, `RabbitMQ takes no messages for now (${reason}): what is published waits`);
    });
    model.on("unblocked", () => {
      this.blockedBecause = undefined;
      log.info("RabbitMQ takes messages again");
    });
    const { heartbeat } = model.connection as unknown as Internals;
    surviveHeaders(model.connection as unknown as Partial<FrameReader>);
    if (heartbeat !== settings.heartbeatSeconds && !this.#saidHeartbeat) {
      this.#saidHeartbeat = true;
      log.warn(`RabbitMQ asks for a heartbeat every ${heartbeat} seconds: amqp.heartbeat, ${settings.heartbeatSeconds}, is above that`);
    }
  }

  #lost(model: ChannelModel, error: BrokerError): void {
    if (this.#model !== model) return;
    this.#model = undefined;
    this.blockedBecause = undefined;
    this.lastError = error;
  }
}
