import type { Server as HttpServer } from "node:http";
import type { Server as NetServer, Socket } from "node:net";
import { Server as TlsServer } from "node:tls";
import { Admission, type Clock } from "@tsserve/server";
import { Connection, connectionKey, type TrackedSocket } from "./connection.ts";
import { destroyWhenRead } from "./destroy-when-read.ts";
import { tellGoingAway } from "./websocket-close.ts";

/** How long a connection that may have a request on its way is kept after the listener has closed. */
const lingerMs = 250;
/**
 * What has left this process waits in the kernels of both sides for the client to read it, who asks again when it has:
 * a slow one is taken to read so many bytes in a millisecond, for so long at most.
 */
const slowReaderBytesPerMs = 1000;
const slowReaderLimitMs = 4000;
/** How long a half-sent head may go on coming after the listener has closed. */
const halfSentLimitMs = 1000;
/** How long a body may pause after the listener has closed, while the app waits for the rest of it. */
const stalledBodyMs = 2000;
const sweepIntervalMs = 25;

const requestTimeoutAnswer = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/** The connections of one server: which are open, which are idle, and how they end. */
export class Connections {
  readonly #open = new Set<Connection>();
  readonly #admission: Admission;
  readonly #clock: Clock;
  #stopping: { readonly since: number; readonly idle: () => void } | undefined;
  #cancelSweep: (() => void) | undefined;

  constructor(maxConcurrency: number, clock: Clock, onFull: (waiting: number) => void) {
    this.#clock = clock;
    this.#admission = new Admission(maxConcurrency, this.#open, clock, onFull);
  }

  /** Those being served, and those that wait. */
  get size(): number {
    return this.#open.size + this.#admission.waiting;
  }

  /** Puts itself between a server and those who listen for its connections. */
  attach(server: HttpServer): void {
    const event = server instanceof TlsServer ? "secureConnection" : "connection";
    const serve = server.rawListeners(event) as ((socket: Socket) => void)[];
    server.removeAllListeners(event);
    server.on(event, (socket: TrackedSocket) => {
      this.#admission.arrive(socket, () => {
        this.#track(socket);
        for (const listener of serve) listener.call(server, socket);
      });
    });
  }

  /** `acceptor` accepts for the server. */
  addAcceptor(acceptor: NetServer): void {
    this.#admission.addAcceptor(acceptor);
  }

  #track(socket: TrackedSocket): void {
    const connection = new Connection(socket, this.#clock.now());
    socket[connectionKey] = connection;
    socket.destroySoon = destroyWhenRead;
    this.#open.add(connection);
    socket.once("close", () => {
      this.#open.delete(connection);
      this.#admission.left();
      if (this.#open.size === 0) this.#stopping?.idle();
    });
  }

  /** The stop signal came: from now on it is watched on which connections something arrives. */
  drain(): void {
    const now = this.#clock.now();
    for (const connection of this.#open) connection.beginWatch(now);
  }

  /**
   * The listener has closed: ends each connection as soon as nothing is in progress on it and nothing
   * seems to be on its way. Resolves when all have ended, or with those that `deadline` cut.
   */
  async end(deadline: AbortSignal): Promise<readonly Connection[]> {
    this.#admission.open();
    for (const connection of this.#open) {
      if (connection.upgrade !== undefined) tellGoingAway(connection);
    }
    let cut: readonly Connection[] = [];
    await new Promise<void>((resolve) => {
      this.#stopping = { since: this.#clock.now(), idle: resolve };
      if (this.#open.size === 0) resolve();
      else this.#sweep();
      const onDeadline = (): void => {
        cut = this.#cut();
        resolve();
      };
      if (deadline.aborted) onDeadline();
      else deadline.addEventListener("abort", onDeadline, { once: true });
    });
    this.#cancelSweep?.();
    return cut;
  }

  #sweep(): void {
    const now = this.#clock.now();
    const stoppingMs = now - (this.#stopping?.since ?? now);
    for (const connection of this.#open) {
      const quietMs = connection.watch(now);
      if (connection.isHeldByClient && quietMs > stalledBodyMs) this.#giveUp(connection);
      if (!connection.isIdle) continue;
      if (quietMs < lingerOf(connection) && !(connection.halfSent && stoppingMs > halfSentLimitMs)) continue;
      if (connection.halfSent) this.#giveUp(connection);
      else connection.socket.destroySoon();
    }
    this.#cancelSweep = this.#clock.after(sweepIntervalMs, () => this.#sweep());
  }

  /** The client does not send the rest of its request. */
  #giveUp({ socket }: Connection): void {
    socket.end(requestTimeoutAnswer, () => socket.destroy());
  }

  /** Cuts everything; gives those on which work was lost. */
  #cut(): Connection[] {
    const busy = [...this.#open].filter((connection) => !connection.isIdle);
    for (const connection of this.#open) connection.socket.destroy();
    return busy;
  }
}

function lingerOf({ lastAnswerBytes }: Connection): number {
  return lingerMs + Math.min(lastAnswerBytes / slowReaderBytesPerMs, slowReaderLimitMs);
}
