import type { Server, Socket } from "node:net";
import { afterReading, judgeAfter, type Clock } from "./clock.ts";

/** What `Admission` asks of the connections that are being served. */
export interface Admitted {
  count(): number;
  /** Takes out the one that has had nothing in progress for the longest time, if it has since `then` on the clock: it is being closed. */
  takeIdle(then: number): Socket | undefined;
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
  /** Who leaves is known by its closed socket, so that a place in the middle need not be looked for. */
  #queue: Waiting[] = [];
  #served = 0;
  #waiting = 0;
  readonly #admitted: Admitted;
  readonly #clock: Clock;
  readonly #onFull: (waiting: number) => void;
  #limit: number;
  #makingRoom = false;
  #pausesArrivals = false;

  /** @param onFull called when the first has to wait */
  constructor(limit: number, admitted: Admitted, clock: Clock, onFull: (waiting: number) => void) {
    this.#limit = limit;
    this.#admitted = admitted;
    this.#clock = clock;
    this.#onFull = onFull;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** A server whose sockets are to arrive paused while there is no room, until it closes. */
  addAcceptor(acceptor: Server): void {
    this.#acceptors.add(acceptor);
    pauseArrivals(acceptor, this.#pausesArrivals);
    acceptor.once("close", () => this.#acceptors.delete(acceptor));
  }

  arrive(socket: Socket, serve: () => void): void {
    if (this.#admitted.count() < this.#limit && this.#waiting === 0) {
      serve();
      if (this.#admitted.count() >= this.#limit) this.#pauseArrivals(true);
      return;
    }
    // As many may wait as are served; beyond that, descriptors would run out for those inside.
    if (this.#waiting >= this.#limit) {
      socket.destroy();
      return;
    }
    this.#queue.push({ socket, serve });
    this.#waiting += 1;
    socket.once("close", this.#onWaitingClosed);
    if (this.#waiting === 1) this.#onFull(this.#waiting);
    this.#makeRoomSoon(0);
  }

  readonly #onWaitingClosed = (): void => {
    this.#waiting -= 1;
  };

  /** A connection has ended: its place is free. */
  left(): void {
    this.#admit();
    if (this.#waiting === 0 && this.#admitted.count() < this.#limit) this.#pauseArrivals(false);
  }

  /** Ends the limit: all that wait are served. */
  open(): void {
    this.#limit = Number.POSITIVE_INFINITY;
    this.left();
  }

  #admit(): void {
    while (this.#waiting > 0 && this.#admitted.count() < this.#limit) {
      const next = this.#next();
      if (next === undefined) return;
      next.socket.off("close", this.#onWaitingClosed);
      this.#waiting -= 1;
      next.serve();
      // It arrived paused; whoever serves it has put its listeners on it.
      next.socket.resume();
    }
  }

  #next(): Waiting | undefined {
    while (this.#served < this.#queue.length) {
      const next = this.#queue[this.#served] as Waiting;
      this.#served += 1;
      // What has been served is let go of from time to time, rather than moving all others each time.
      if (this.#served > 1000 || this.#served === this.#queue.length) {
        this.#queue = this.#queue.slice(this.#served);
        this.#served = 0;
      }
      if (!next.socket.destroyed) return next;
    }
    return undefined;
  }

  /**
   * Closes one idle connection for each that waits; tries again soon while there are too few. A connection that seems idle may have a
   * request lying unread.
   */
  #makeRoomSoon(afterMs: number): void {
    if (this.#makingRoom) return;
    this.#makingRoom = true;
    const makeRoom = (now: number): void => {
      this.#makingRoom = false;
      this.#makeRoom(now);
    };
    if (afterMs === 0) afterReading(this.#clock, makeRoom);
    else judgeAfter(this.#clock, afterMs, makeRoom);
  }

  #makeRoom(now: number): void {
    for (let wanted = this.#waiting; wanted > 0; wanted--) {
      const idle = this.#admitted.takeIdle(now - giveWayMs);
      if (idle === undefined) {
        this.#makeRoomSoon(retryMs);
        return;
      }
      idle.destroy();
    }
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
