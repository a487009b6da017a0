import type { Socket } from "node:net";
import type { Server as NetServer } from "node:net";
import { Admission, type Clock } from "@tsserve/server";
import { Connection, connectionKey, type TrackedSocket } from "./connection.ts";
import { watchHalfClosed } from "./half-close.ts";
import type { HttpRequest } from "./http-request.ts";
import { IdleConnections } from "./idle-connections.ts";
import { endUnlessRead, lingerInClosing, readingTimeOf } from "./linger.ts";
import { tellGoingAway } from "./websocket-close.ts";

/** How long a connection that may have a request on its way is kept after the listener has closed. */
const lingerMs = 250;
/** How long a half-sent head may go on coming after the listener has closed. */
const halfSentLimitMs = 1000;
/** How long a body may pause after the listener has closed, while the app waits for the rest of it. */
const stalledBodyMs = 2000;
const sweepIntervalMs = 25;

/** The connections of one server: which are open, which are idle, what they owe, and how they end. */
export class Connections {
  readonly clock: Clock;
  readonly open: Set<Connection> = new Set();
  /** Whether the stop signal has come: answers end their connections. */
  stopping = false;
  /** Whether the listener has closed. */
  isEnding = false;
  /** Called with each request in progress whose connection has gone. */
  onRequestLost: (request: HttpRequest) => void = () => undefined;
  /** Called during a stop with a request that ran, and whose answer the server did not let out. */
  onUnanswered: (request: HttpRequest) => void = () => undefined;
  /** Called after the listener has closed, when the client does not send the rest of a request. */
  giveUp: (connection: Connection) => void = ({ socket }) => socket.destroy();
  readonly #idle = new IdleConnections();
  readonly #admission: Admission;
  #lost = 0;
  #isCut = false;
  #ended: (() => void) | undefined;
  #endingSince = 0;
  #cancelSweep: (() => void) | undefined;

  constructor(maxConcurrency: number, clock: Clock, onFull: (waiting: number) => void) {
    this.clock = clock;
    this.#admission = new Admission(maxConcurrency, { count: () => this.open.size, takeIdle: (ms) => this.#takeIdle(ms) }, clock, onFull);
  }

  /** Those being served, and those that wait. */
  get size(): number {
    return this.open.size + this.#admission.waiting;
  }

  /** `acceptor` accepts for the server. */
  addAcceptor(acceptor: NetServer): void {
    this.#admission.addAcceptor(acceptor);
  }

  /** A connection has been accepted; it is served when there is room. */
  arrive(socket: TrackedSocket, serve: (connection: Connection) => void): void {
    this.#admission.arrive(socket, () => serve(this.#track(socket)));
  }

  #track(socket: TrackedSocket): Connection {
    const connection = new Connection(socket, this.clock.now());
    socket[connectionKey] = connection;
    socket.destroySoon = lingerInClosing;
    this.open.add(connection);
    this.#idle.add(connection);
    this.#watchEnd(connection);
    socket.once("close", () => {
      // Node tells only the response whose turn it is.
      for (const request of connection.inProgress()) this.onRequestLost(request);
      this.open.delete(connection);
      this.#idle.delete(connection);
      this.#admission.left();
      if (this.open.size === 0) this.#ended?.();
    });
    return connection;
  }

  /** TLS has made another socket of the one that was accepted. They close together. */
  secured(connection: Connection, socket: TrackedSocket): void {
    socket[connectionKey] = connection;
    socket.destroySoon = lingerInClosing;
    connection.becomes(socket, this.clock.now());
    this.#watchEnd(connection);
  }

  #watchEnd(connection: Connection): void {
    connection.socket.once("end", () => {
      if (connection.activeRequests > 0 && connection.upgrade === undefined) watchHalfClosed(connection, this.clock);
    });
  }

  /** The longest idle connection, which is about to be closed. */
  #takeIdle(ms: number): Socket | undefined {
    const { longest } = this.#idle;
    if (longest === undefined || this.clock.now() - longest.idleSince < ms) return undefined;
    this.#idle.delete(longest);
    return longest.socket;
  }

  requestBegins(connection: Connection): void {
    this.#idle.delete(connection);
  }

  requestEnded(connection: Connection, request: HttpRequest): void {
    if (request.response?.writableFinished === false) this.unanswered(request);
    if (connection.activeRequests > 0) return;
    if (!connection.closing && connection.unfinishedBody !== undefined) endUnlessRead(connection, this.clock);
    const { whenAnswered } = connection;
    connection.whenAnswered = undefined;
    if (whenAnswered !== undefined && !connection.socket.destroyed) whenAnswered();
    if (connection.isIdle && !connection.socket.destroyed) this.#idle.add(connection);
  }

  /** Calls back when nothing is owed on a connection any more, at once where that is so; never when it ends before. */
  whenAnswered(connection: Connection, callback: () => void): void {
    if (connection.activeRequests === 0) callback();
    else connection.whenAnswered ??= callback;
  }

  /** A request ran and its answer did not leave. That is a loss, unless its client did not wait for it. */
  unanswered(request: HttpRequest): void {
    const { socket } = request.connection;
    if (!this.stopping || this.#isCut || socket.errored !== null || socket.readableEnded) return;
    this.#lost += 1;
    this.onUnanswered(request);
  }

  /** The stop signal came: from now on it is watched on which connections something arrives. */
  drain(): void {
    if (this.stopping) return;
    this.stopping = true;
    const now = this.clock.now();
    for (const connection of this.open) connection.beginWatch(now);
  }

  /**
   * The listener has closed: ends each connection as soon as nothing is in progress on it and nothing seems to be on its way.
   * Resolves when all have ended, or been cut by `deadline`, with how many requests were lost since the stop signal.
   */
  async end(deadline: AbortSignal): Promise<number> {
    this.isEnding = true;
    this.#admission.open();
    for (const connection of this.open) tellGoingAway(connection, true);
    await new Promise<void>((resolve) => {
      this.#ended = resolve;
      this.#endingSince = this.clock.now();
      if (this.open.size === 0) resolve();
      else this.#sweepSoon();
      const onDeadline = (): void => {
        this.#cut();
        resolve();
      };
      if (deadline.aborted) onDeadline();
      else deadline.addEventListener("abort", onDeadline, { once: true });
    });
    this.#cancelSweep?.();
    return this.#lost;
  }

  /** Timers run before the sockets are read: what came while the loop was busy is heard before anybody is judged. */
  #sweepSoon(): void {
    this.#cancelSweep = this.clock.after(sweepIntervalMs, () => {
      const turn = setImmediate(() => this.#sweep());
      this.#cancelSweep = () => clearImmediate(turn);
    });
  }

  #sweep(): void {
    const now = this.clock.now();
    const endingMs = now - this.#endingSince;
    for (const connection of this.open) {
      if (connection.lingers || connection.unreadable) continue;
      const quietMs = connection.watch(now);
      if (connection.isHeldByClient && quietMs > stalledBodyMs) this.giveUp(connection);
      if (!connection.isIdle) continue;
      if (quietMs < lingerMs + readingTimeOf(connection) && !(connection.halfSent && endingMs > halfSentLimitMs)) continue;
      if (connection.halfSent) this.giveUp(connection);
      else connection.socket.destroySoon();
    }
    this.#sweepSoon();
  }

  /** Cuts everything. */
  #cut(): void {
    this.#isCut = true;
    for (const connection of this.open) {
      for (const request of connection.inProgress()) this.#countCut(request);
      if (connection.upgrade !== undefined) this.#lost += 1;
      connection.socket.destroy();
    }
  }

  #countCut(request: HttpRequest): void {
    if (request.response?.writableFinished !== true) this.#lost += 1;
  }
}

/** Node keeps no connection that has been quiet for too long; its timer, too, runs before the socket is read. */
export function closeIfStillIdle(socket: Socket): void {
  const connection = (socket as TrackedSocket)[connectionKey];
  const bytes = socket.bytesRead;
  setImmediate(() => {
    if (socket.bytesRead === bytes && connection?.isIdle !== false) socket.destroy();
  });
}
