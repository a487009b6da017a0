import type { Server, Socket } from "node:net";
import { Admission, judgeAfter, scanForIdle, whenAborted, type Clock, type Descriptors } from "@tsserve/server";
import { Connection, type ConnectionSetup } from "./connection.ts";
import { Leaving } from "./leaving.ts";
import { SharedReads } from "./shared-reads.ts";

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
  /** How long a stop waits for a client that does not pause, before its connection ends with an answer. */
  readonly patienceMs: number;
}

export interface ConnectionsOptions extends ConnectionSetup {
  readonly limits: ConnectionLimits;
  readonly clock: Clock;
  /** Called when new connections have to wait. */
  readonly onFull: (waiting: number) => void;
  /** Says when they run out. */
  readonly descriptors: Pick<Descriptors, "look">;
  /** Called when a connection has closed: its requests are nobody's any more. */
  readonly abandon: (connection: Connection) => void;
}

/** The connections of one server: which are open, which are idle, and how they end. */
export class Connections {
  readonly #open = new Set<Connection>();
  readonly #admission: Admission;
  readonly #limits: ConnectionLimits;
  readonly #setup: ConnectionSetup;
  readonly #descriptors: Pick<Descriptors, "look">;
  readonly #abandon: (connection: Connection) => void;
  readonly #clock: Clock;
  readonly #reads = new SharedReads();
  /** Whether it has only stepped aside. */
  #rests = false;
  #stopping: { readonly leaving: Leaving; readonly idle: () => void } | undefined;
  #cancelSweep: (() => void) | undefined;

  constructor({ limits, clock, onFull, descriptors, abandon, ...setup }: ConnectionsOptions) {
    this.#setup = setup;
    this.#descriptors = descriptors;
    this.#abandon = abandon;
    this.#limits = limits;
    this.#clock = clock;
    this.#admission = new Admission(limits.maxConcurrency, scanForIdle(this.#open, clock), clock, onFull);
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
    acceptor.on("connection", (socket) => {
      this.#descriptors.look(socket);
      this.#admission.arrive(socket, () => this.#serve(socket));
    });
  }

  #serve(accepted: Socket): void {
    const { socket, isShared }: { readonly socket: TrackedSocket; readonly isShared: boolean } = this.#reads.takeOver(accepted, onBytes);
    const connection = new Connection(socket, this.#setup, this.#clock.now());
    socket[connectionKey] = connection;
    this.#open.add(connection);
    // Functions of all sockets rather than closures for each.
    if (!isShared) socket.on("data", onData);
    socket.on("end", onEnd);
    socket.on("drain", onDrain);
    socket.on("error", onError);
    socket.once("close", () => this.#closed(connection));
    this.#stopping?.leaving.add(connection);
  }

  #closed(connection: Connection): void {
    this.#open.delete(connection);
    this.#abandon(connection);
    this.#admission.left();
    if (this.#open.size === 0) this.#stopping?.idle();
  }

  #sweepLater(ms: number): void {
    this.#cancelSweep = judgeAfter(this.#clock, ms, (now) => this.#sweep(now));
  }

  #sweep(now: number): void {
    if (this.#stopping === undefined) this.#endOverdue(now);
    else this.#stopping.leaving.look(this.#open);
    this.#sweepLater(this.#stopping === undefined ? sweepIntervalMs : stopSweepIntervalMs);
  }

  #endOverdue(now: number): void {
    const { idleTimeoutMs, receiveTimeoutMs } = this.#limits;
    for (const connection of this.#open) {
      const { partialSince } = connection;
      if (partialSince !== undefined && now - partialSince > receiveTimeoutMs) {
        connection.logUnreadable(`a message did not come within receive_timeout (${receiveTimeoutMs} ms)`);
        connection.endNow();
      } else if (connection.isIdle && now - connection.idleSince > idleTimeoutMs) connection.finish();
    }
  }

  /** The server steps aside: connections end as in a stop. Resolves when none is left. */
  async rest(): Promise<void> {
    if (this.#stopping !== undefined) return;
    this.#rests = true;
    await new Promise<void>((resolve) => this.#beginLeaving(resolve));
  }

  /** From now on connections end when their clients pause; `idle` is called when none is left. */
  #beginLeaving(idle: () => void): void {
    const leaving = new Leaving(this.#clock, this.#limits.patienceMs);
    this.#stopping = { leaving, idle };
    this.#cancelSweep?.();
    for (const connection of this.#open) leaving.add(connection);
    this.#sweepLater(stopSweepIntervalMs);
    if (this.#open.size === 0) idle();
  }

  /** New connections are kept again; those that were about to end do. Nothing happens in a stop. */
  endRest(): void {
    if (!this.#rests) return;
    this.#rests = false;
    this.#stopping?.idle();
    this.#stopping = undefined;
    this.#cancelSweep?.();
    this.#sweepLater(sweepIntervalMs);
  }

  /**
   * The listener has closed: ends each connection when all that it has sent is answered and its client pauses.
   * Resolves when all have ended, or at the deadline with the number of requests that it cut.
   */
  async end(deadline: AbortSignal): Promise<number> {
    this.#rests = false;
    this.#admission.open();
    // What has reached this process by now is read first.
    await new Promise((resolve) => setImmediate(resolve));
    let cut = 0;
    await new Promise<void>((resolve) => {
      this.#beginLeaving(resolve);
      whenAborted(deadline, () => {
        cut = this.#cut();
        resolve();
      });
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
