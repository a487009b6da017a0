import type { Server, Socket } from "node:net";
import { Admission, type Clock } from "@tsserve/server";
import { Connection } from "./connection.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { SharedReads } from "./shared-reads.ts";

/** How long a connection that went idle a moment ago is kept after the listener has closed: its next request may be on its way. */
const lingerMs = 250;
/** How long a half-sent message may go on coming after the listener has closed. */
const halfSentLimitMs = 1000;
/** How long a client may take to close its side once ours is closed. */
const closeTimeoutMs = 1000;
const sweepIntervalMs = 500;
const stopSweepIntervalMs = 25;

const connectionKey: unique symbol = Symbol("tsserve.thrift.connection");

interface TrackedSocket extends Socket {
  [connectionKey]?: Connection;
}

export interface ConnectionLimits {
  readonly maxConcurrency: number;
  readonly idleTimeoutMs: number;
  readonly receiveTimeoutMs: number;
}

/** The connections of one server: which are open, which are idle, and how they end. */
export class Connections {
  readonly #open = new Set<Connection>();
  readonly #admission: Admission;
  readonly #limits: ConnectionLimits;
  readonly #dispatcher: Dispatcher;
  readonly #clock: Clock;
  readonly #reads = new SharedReads();
  #stopping: { readonly since: number; readonly idle: () => void } | undefined;
  #cancelSweep: (() => void) | undefined;

  constructor(dispatcher: Dispatcher, limits: ConnectionLimits, clock: Clock, onFull: (waiting: number) => void) {
    this.#dispatcher = dispatcher;
    this.#limits = limits;
    this.#clock = clock;
    this.#admission = new Admission(limits.maxConcurrency, this.#open, clock, onFull);
  }

  /** Those being served, and those that wait. */
  get size(): number {
    return this.#open.size + this.#admission.waiting;
  }

  /** From now on, connections that idle for too long are closed. */
  start(): void {
    this.#sweepLater(sweepIntervalMs);
  }

  /** Serves what `acceptor` accepts. */
  addAcceptor(acceptor: Server): void {
    this.#admission.addAcceptor(acceptor);
    acceptor.on("connection", (socket) => this.#admission.arrive(socket, () => this.#serve(socket)));
  }

  #serve(accepted: Socket): void {
    const { socket, isShared }: { readonly socket: TrackedSocket; readonly isShared: boolean } = this.#reads.takeOver(accepted, onBytes);
    const connection = new Connection(socket, this.#dispatcher, this.#clock.now());
    socket[connectionKey] = connection;
    this.#open.add(connection);
    // Functions of all sockets rather than closures for each.
    if (!isShared) socket.on("data", onData);
    socket.on("end", onEnd);
    socket.on("drain", onDrain);
    socket.on("error", onError);
    socket.once("close", () => this.#closed(connection));
  }

  #closed(connection: Connection): void {
    this.#open.delete(connection);
    this.#dispatcher.abandon(connection);
    this.#admission.left();
    if (this.#open.size === 0) this.#stopping?.idle();
  }

  #sweepLater(ms: number): void {
    this.#cancelSweep = this.#clock.after(ms, () => this.#sweep());
  }

  #sweep(): void {
    const now = this.#clock.now();
    if (this.#stopping === undefined) this.#endOverdue(now);
    else this.#endQuiet(now, this.#stopping.since);
    this.#sweepLater(this.#stopping === undefined ? sweepIntervalMs : stopSweepIntervalMs);
  }

  #endOverdue(now: number): void {
    const { idleTimeoutMs, receiveTimeoutMs } = this.#limits;
    for (const connection of this.#open) {
      const { partialSince } = connection;
      if (partialSince !== undefined && now - partialSince > receiveTimeoutMs) {
        this.#dispatcher.protocolError(connection, `a message did not come within receive_timeout (${receiveTimeoutMs} ms)`);
        connection.endNow();
      } else if (connection.isIdle && now - connection.idleSince > idleTimeoutMs) connection.finish();
    }
  }

  #endQuiet(now: number, stoppingSince: number): void {
    for (const connection of this.#open) {
      if (connection.activeRequests > 0 || (connection.isIdle && now - connection.idleSince >= lingerMs)) connection.finish();
      else if (!connection.isIdle && now - stoppingSince > halfSentLimitMs) connection.endNow();
    }
  }

  /**
   * The listener has closed: ends each connection when all that it has sent is answered, and idle ones at once.
   * Resolves when all have ended, or at the deadline with the number of requests that it cut.
   */
  async end(deadline: AbortSignal): Promise<number> {
    this.#admission.open();
    // What has reached this process by now is read first.
    await new Promise((resolve) => setImmediate(resolve));
    let cut = 0;
    await new Promise<void>((resolve) => {
      const now = this.#clock.now();
      this.#stopping = { since: now, idle: resolve };
      this.#cancelSweep?.();
      this.#endQuiet(now, now);
      this.#sweepLater(stopSweepIntervalMs);
      if (this.#open.size === 0) resolve();
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

  /** Cuts everything; gives how many requests were lost. */
  #cut(): number {
    let cut = 0;
    for (const { activeRequests, socket } of this.#open) {
      cut += activeRequests;
      socket.destroy();
    }
    return cut;
  }
}

/** Closes a connection for good when its client does not. */
export function lingerOf(clock: Clock): (socket: Socket) => void {
  return (socket) => {
    const cancel = clock.after(closeTimeoutMs, () => socket.destroy());
    socket.once("close", cancel);
  };
}

function onBytes(this: TrackedSocket, bytes: Buffer, count: number): void {
  this[connectionKey]?.receive(bytes, 0, count, true);
}

function onData(this: TrackedSocket, bytes: Buffer): void {
  this[connectionKey]?.receive(bytes, 0, bytes.length, false);
}

function onEnd(this: TrackedSocket): void {
  this[connectionKey]?.clientEnded();
}

function onDrain(this: TrackedSocket): void {
  this[connectionKey]?.resume();
}

/** The client has gone, in the middle of something or not: "close" follows, which sees to all. */
function onError(): void {}
