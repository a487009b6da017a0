import type { Socket } from "node:net";
import type { Server as NetServer } from "node:net";
import { Admission, judgeAfter, whenAborted, type Clock } from "@tsserve/server";
import type { Refusal } from "./refusal.ts";
import { Connection, connectionKey, type EndReason, type Lifetime, type TrackedSocket } from "./connection.ts";
import { watchHalfClosed } from "./half-close.ts";
import type { HttpRequest } from "./http-request.ts";
import { IdleConnections } from "./idle-connections.ts";
import { endOnce, endUnlessRead, lingerInClosing, readingTimeOf } from "./linger.ts";
import { keepQuietTimer } from "./quiet-timer.ts";
import { tellGoingAway } from "./websocket-close.ts";
import { writeWhole } from "./write-whole.ts";

/** How long a connection that may have a request on its way is kept after the listener has closed. */
const lingerMs = 250;
/** How long a half-sent head may go on coming after the listener has closed. */
const halfSentLimitMs = 1000;
/** How long a body may pause after the listener has closed, while the app waits for the rest of it. */
const stalledBodyMs = 2000;
const sweepIntervalMs = 25;

export interface ConnectionsOptions {
  readonly maxConcurrency: number;
  readonly clock: Clock;
  /** How long the next connection may be used. */
  readonly draw: () => Lifetime;
  /** Draws when in the time for it a WebSocket is closed, from 0 to 1. */
  readonly drawClose: () => number;
  readonly drainTimeMs: number;
  /** Over how long, from the stop signal on, WebSockets are told to go; `undefined`: over the drain, and all that are left at its end. */
  readonly closeWebSocketsOverMs: number | undefined;
  readonly onFull: (waiting: number) => void;
  /** Called with each connection that was served and has ended. */
  readonly onClosed: (reason: EndReason) => void;
}

/** The connections of one server: which are open, which are idle, what they owe, and how they end. */
export class Connections {
  readonly clock: Clock;
  readonly open: Set<Connection> = new Set();
  /** Whether the stop signal has come: answers end their connections. */
  stopping = false;
  /** Connections that have become another protocol's, or are about to. */
  openUpgrades = 0;
  /** What WebSockets are closed with. */
  closeCode = 1001;
  /** Whether the listener has closed. */
  isEnding = false;
  /** Called with each request in progress whose connection has gone. */
  onRequestLost: (request: HttpRequest) => void = () => undefined;
  /** Called during a stop with a request that ran, and whose answer the server did not let out. */
  onUnanswered: (request: HttpRequest) => void = () => undefined;
  /** Called after the listener has closed, when the client does not send the rest of a request. */
  giveUp: (connection: Connection) => void = ({ socket }) => socket.destroy();
  /** Answers a request in the place of the app, and tells whether that was still possible. */
  refuse: (request: HttpRequest, refusal: Refusal) => boolean = () => false;
  /** Sees to it that the head of an answer says what becomes of its connection. */
  guardHead: (request: HttpRequest) => void = () => undefined;
  readonly #draw: () => Lifetime;
  readonly #drawClose: () => number;
  readonly #closeOverMs: number;
  readonly #closesBeyondDrain: boolean;
  readonly #onClosed: (reason: EndReason) => void;
  readonly #idle = new IdleConnections();
  #stoppedAt = 0;
  readonly #admission: Admission;
  /** Called when nobody is left, while the server has stepped aside. */
  #rest: { readonly since: number; readonly left: () => void } | undefined;
  #lost = 0;
  #isCut = false;
  #ended: (() => void) | undefined;
  #endingSince = 0;
  #cancelSweep: (() => void) | undefined;

  constructor({ maxConcurrency, clock, draw, drawClose, drainTimeMs, closeWebSocketsOverMs, onFull, onClosed }: ConnectionsOptions) {
    this.clock = clock;
    this.#draw = draw;
    this.#drawClose = drawClose;
    this.#closeOverMs = closeWebSocketsOverMs ?? drainTimeMs;
    this.#closesBeyondDrain = closeWebSocketsOverMs !== undefined;
    this.#onClosed = onClosed;
    this.#admission = new Admission(
      maxConcurrency,
      { count: () => this.open.size, takeIdle: (then) => this.#takeIdle(then) },
      clock,
      onFull,
    );
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
    const connection = new Connection(socket, this.clock.now(), this.#draw());
    connection.refuse = this.refuse;
    this.#take(socket, connection);
    this.open.add(connection);
    this.#idle.add(connection);
    this.#watchEnd(connection);
    socket.once("close", () => {
      // Node tells only the response whose turn it is.
      for (const request of connection.inProgress()) this.onRequestLost(request);
      this.open.delete(connection);
      this.#idle.delete(connection);
      this.#onClosed(connection.endReason ?? "client");
      this.#admission.left();
      if (this.open.size === 0) this.#ended?.();
    });
    return connection;
  }

  /** TLS has made another socket of the one that was accepted. They close together. */
  secured(connection: Connection, socket: TrackedSocket): void {
    this.#take(socket, connection);
    connection.becomes(socket, this.clock.now());
    this.#watchEnd(connection);
  }

  #take(socket: TrackedSocket, connection: Connection): void {
    socket[connectionKey] = connection;
    socket.destroySoon = lingerInClosing;
    socket.end = endOnce;
    writeWhole(socket);
    keepQuietTimer(socket, connection, this.clock);
  }

  #watchEnd(connection: Connection): void {
    connection.socket.once("end", () => {
      const { activeRequests, upgrade, multiplexed } = connection;
      if (activeRequests > 0 && upgrade === undefined && multiplexed === undefined) watchHalfClosed(connection, this.clock);
    });
  }

  /** The longest idle connection, which is about to be closed. */
  #takeIdle(then: number): Socket | undefined {
    const { longest } = this.#idle;
    if (longest === undefined || longest.idleSince > then) return undefined;
    this.#idle.delete(longest);
    longest.endReason ??= "idle";
    return longest.socket;
  }

  /** Whether the next answer on a connection is its last. */
  mustEnd(connection: Connection): boolean {
    if (this.stopping || this.#rest !== undefined) connection.endReason ??= "drain";
    else if (connection.requests >= connection.maxRequests) connection.endReason ??= "requests";
    else if (connection.maxAgeAt !== Number.POSITIVE_INFINITY && this.clock.now() >= connection.maxAgeAt) connection.endReason ??= "age";
    else return false;
    return true;
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
    this.becomesIdle(connection);
  }

  /** Nothing happens to a connection that has something in progress. */
  becomesIdle(connection: Connection): void {
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
    this.endRest();
    const now = this.clock.now();
    this.#stoppedAt = now;
    for (const connection of this.open) {
      connection.beginWatch(now);
      connection.multiplexed?.drain();
      if (connection.upgrade !== undefined) this.goAway(connection);
    }
  }

  /**
   * Tells an upgraded connection to end, at an instant by lot of those that are left: clients that all went at once would come
   * back at once. Nothing happens before the stop signal.
   */
  goAway(connection: Connection): void {
    if (!this.stopping || connection.upgrade?.switchStatus !== 101) return;
    const leftMs = this.#stoppedAt + this.#closeOverMs - this.clock.now();
    if (this.isEnding && (leftMs <= 0 || !this.#closesBeyondDrain)) {
      tellGoingAway(connection, this.closeCode);
      return;
    }
    if (connection.goesAway) return;
    connection.goesAway = true;
    const cancel = this.clock.after(Math.max(0, leftMs) * this.#drawClose(), () => tellGoingAway(connection, this.closeCode));
    connection.socket.once("close", cancel);
  }

  /**
   * The listener has closed: ends each connection as soon as nothing is in progress on it and nothing seems to be on its way.
   * Resolves when all have ended, or been cut by `deadline`, with how many requests were lost since the stop signal.
   */
  async end(deadline: AbortSignal): Promise<number> {
    this.isEnding = true;
    this.#admission.open();
    // What was to be told during the drain, and was not, is told now; those whose turn comes later wait for it.
    for (const connection of this.open) {
      connection.multiplexed?.end();
      if (connection.upgrade !== undefined) this.goAway(connection);
    }
    await new Promise<void>((resolve) => {
      this.#ended = resolve;
      this.#endingSince = this.clock.now();
      if (this.open.size === 0) resolve();
      else this.#sweepSoon();
      whenAborted(deadline, () => {
        this.#cut();
        resolve();
      });
    });
    this.#cancelSweep?.();
    return this.#lost;
  }

  /**
   * The server steps aside: answers end their connections, and those that are idle are ended when nothing seems to be on its way.
   * Resolves when none is left that requests could come on.
   */
  rest(): Promise<void> {
    if (this.stopping) return Promise.resolve();
    const since = this.clock.now();
    for (const connection of this.open) connection.beginWatch(since);
    return new Promise((left) => {
      this.#rest = { since, left };
      this.#sweepSoon();
    });
  }

  /** Connections are kept again. */
  endRest(): void {
    this.#rest?.left();
    this.#rest = undefined;
    if (!this.isEnding) this.#cancelSweep?.();
  }

  /** On a busy machine the process may stand still once it has accepted a connection, whose request it reads in the next turn. */
  #sweepSoon(): void {
    this.#cancelSweep = judgeAfter(this.clock, sweepIntervalMs, (now) => this.#sweep(now));
  }

  #sweep(now: number): void {
    const endingMs = now - (this.#rest?.since ?? this.#endingSince);
    if (this.#rest !== undefined && ![...this.open].some(({ upgrade }) => upgrade === undefined)) this.#rest.left();
    for (const connection of this.open) {
      if (connection.lingers || connection.unreadable || connection.multiplexed !== undefined) continue;
      const quietMs = connection.watch(now);
      const isRest = this.#rest !== undefined;
      if (!isRest && connection.isHeldByClient && quietMs > stalledBodyMs) this.giveUp(connection);
      // Who steps aside for a while has the time to wait for what is half sent.
      if (!connection.isIdle || (isRest && connection.halfSent)) continue;
      if (quietMs < lingerMs + readingTimeOf(connection) && !(connection.halfSent && endingMs > halfSentLimitMs)) continue;
      connection.endReason ??= "drain";
      if (connection.halfSent) this.giveUp(connection);
      else connection.socket.destroySoon();
    }
    this.#sweepSoon();
  }

  /** Cuts everything. */
  #cut(): void {
    this.#isCut = true;
    for (const connection of this.open) {
      connection.endReason ??= "cut";
      for (const request of connection.multiplexed?.inProgress ?? connection.inProgress()) this.#countCut(request);
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
    if (socket.bytesRead !== bytes || connection?.isIdle === false) return;
    if (connection !== undefined) connection.endReason ??= "idle";
    socket.destroy();
  });
}
