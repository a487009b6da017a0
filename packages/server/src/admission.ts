import type { Server, Socket } from "node:net";
import type { Clock } from "./clock.ts";

/** What `Admission` asks of a connection that is being served. */
export interface AdmittedConnection {
  readonly socket: Socket;
  /** Whether nothing is in progress on it. */
  readonly isIdle: boolean;
  /** Since when, on the clock. */
  readonly idleSince: number;
}

/** A connection must have idled for this long before it gives way: sooner, its next request may be on its way. */
const giveWayMs = 250;
const retryMs = 50;

interface Waiting {
  readonly socket: Socket;
  readonly serve: () => void;
}

/**
 * Lets at most so many connections be served at once. The next ones wait, accepted but unread, first
 * come first served, while the longest idle connections are closed to make room.
 */
export class Admission {
  readonly #acceptors = new Set<Server>();
  readonly #queue: Waiting[] = [];
  readonly #served: ReadonlySet<AdmittedConnection>;
  readonly #clock: Clock;
  readonly #onFull: (waiting: number) => void;
  #limit: number;
  #retrying = false;
  #pausesArrivals = false;

  constructor(limit: number, served: ReadonlySet<AdmittedConnection>, clock: Clock, onFull: (waiting: number) => void) {
    this.#limit = limit;
    this.#served = served;
    this.#clock = clock;
    this.#onFull = onFull;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** A server whose sockets are to arrive paused while there is no room, until it closes. */
  addAcceptor(acceptor: Server): void {
    this.#acceptors.add(acceptor);
    pauseArrivals(acceptor, this.#pausesArrivals);
    acceptor.once("close", () => this.#acceptors.delete(acceptor));
  }

  arrive(socket: Socket, serve: () => void): void {
    if (this.#served.size < this.#limit && this.#queue.length === 0) {
      serve();
      if (this.#served.size >= this.#limit) this.#pauseArrivals(true);
      return;
    }
    // As many may wait as are served; beyond that, descriptors would run out for those inside.
    if (this.#queue.length >= this.#limit) {
      socket.destroy();
      return;
    }
    const waiting = { socket, serve };
    this.#queue.push(waiting);
    socket.once("close", () => this.#forget(waiting));
    if (this.#queue.length === 1) this.#onFull(this.#queue.length);
    this.#makeRoom();
  }

  /** A connection has ended: its place is free. */
  left(): void {
    this.#admit();
    if (this.#queue.length === 0 && this.#served.size < this.#limit) this.#pauseArrivals(false);
  }

  /** Ends the limit: all that wait are served. */
  open(): void {
    this.#limit = Number.POSITIVE_INFINITY;
    this.left();
  }

  #admit(): void {
    while (this.#served.size < this.#limit) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      next.serve();
      // It arrived paused; whoever serves it has put its listeners on it.
      next.socket.resume();
    }
  }

  /** Closes one idle connection for each that waits; tries again soon while there are too few. */
  #makeRoom(): void {
    const now = this.#clock.now();
    const idle = [...this.#served].filter((connection) => connection.isIdle && now - connection.idleSince >= giveWayMs);
    idle.sort((a, b) => a.idleSince - b.idleSince);
    const leaving = idle.slice(0, this.#queue.length);
    for (const connection of leaving) connection.socket.destroy();
    if (leaving.length < this.#queue.length) this.#retry();
  }

  #retry(): void {
    if (this.#retrying) return;
    this.#retrying = true;
    this.#clock.after(retryMs, () => {
      this.#retrying = false;
      if (this.#queue.length > 0) this.#makeRoom();
    });
  }

  #forget(waiting: Waiting): void {
    const index = this.#queue.indexOf(waiting);
    if (index !== -1) this.#queue.splice(index, 1);
  }

  #pauseArrivals(pause: boolean): void {
    if (pause === this.#pausesArrivals) return;
    this.#pausesArrivals = pause;
    for (const acceptor of this.#acceptors) pauseArrivals(acceptor, pause);
  }
}

/** Node reads this property for each connection that it accepts. */
function pauseArrivals(acceptor: Server, pause: boolean): void {
  (acceptor as Server & { pauseOnConnect: boolean }).pauseOnConnect = pause;
}
