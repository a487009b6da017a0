import type { Clock } from "@tsserve/server";

/** How long a connection that went idle a moment ago is kept after the listener has closed: its next request may be on its way. */
const lingerMs = 250;
/** How long a half-sent message may go on coming after the listener has closed. */
const halfSentLimitMs = 1000;
/** A client that has sent nothing for so long after its answer pauses: an end that is sent now reaches it before it goes on. */
const quietMs = 1;
/** Connections are looked at every 25 ms. A process that is so late slept, and its clients may have slept as well: their calls are on their way. */
const stallMs = 100;
/** An end that is sent later than this after the answer may cross with the next request of a client that pauses for 5 ms. */
const latestMs = 2.5;

/** What is asked of a connection that is about to end. */
export interface LeavingConnection {
  /** Nothing is in progress, and no message has come in part. */
  readonly isIdle: boolean;
  /** When the last answer was ready, or the last byte came, on the clock of `performance.now`. */
  readonly idleSince: number;
  readonly activeRequests: number;
  /** How many messages its client has sent. */
  readonly takenMessages: number;
  /** Whether its client has sent messages since it was to leave. */
  readonly goesOn: boolean;
  /** How long its client pauses at least between an answer and its next message; 0 when that is not known. */
  readonly usualPauseMs: number;
  leave(onIdle: (connection: LeavingConnection) => void): void;
  closeIdle(): void;
  finishReading(): void;
  endNow(): void;
}

/**
 * Ends the connections of a server that stops. Framed and unframed clients can't be told to go elsewhere: one that
 * gets the end together with an answer has often sent its next request by then, which is lost. So a connection is
 * served on until its client pauses, and ended in that pause: with an answer, when it has paused after each of its last
 * answers, else when it is seen to pause. One whose client never pauses is ended with an answer when `patienceMs` are over.
 */
export class Leaving {
  readonly #clock: Clock;
  readonly #since: number;
  readonly #patienceMs: number;
  /** When the connections were looked at last, and since when that happened in time. */
  #lookedAt: number;
  #awakeSince: number;

  constructor(clock: Clock, patienceMs: number) {
    this.#clock = clock;
    this.#since = clock.now();
    this.#lookedAt = this.#since;
    this.#awakeSince = Number.NEGATIVE_INFINITY;
    this.#patienceMs = patienceMs;
  }

  add(connection: LeavingConnection): void {
    connection.leave((each) => this.#answered(each));
    this.#check(connection, this.#clock.now());
  }

  /** Ends the connections whose time is up; to be called every 25 ms. */
  look(connections: Iterable<LeavingConnection>): void {
    const now = this.#clock.now();
    if (now - this.#lookedAt > stallMs) this.#awakeSince = now;
    this.#lookedAt = now;
    for (const connection of connections) this.#check(connection, now);
  }

  #check(connection: LeavingConnection, now: number): void {
    if (connection.isIdle) {
      if (now - Math.max(connection.idleSince, this.#awakeSince) >= lingerMs) connection.closeIdle();
    } else if (connection.activeRequests === 0) {
      if (now - this.#since > halfSentLimitMs) connection.endNow();
    } else if (connection.goesOn && now - this.#since > this.#patienceMs) connection.finishReading();
  }

  /** The end that comes with the answer is the one that is most certain to be there before the client goes on. */
  #answered(connection: LeavingConnection): void {
    const { usualPauseMs } = connection;
    if (usualPauseMs < quietMs) this.#endAfterQuiet(connection);
    else this.#endWithin(usualPauseMs / 2, connection);
  }

  #endAfterQuiet(connection: LeavingConnection): void {
    const { takenMessages } = connection;
    this.#clock.after(quietMs, () => {
      // What has come meanwhile is read before this.
      setImmediate(() => {
        if (connection.isIdle && connection.takenMessages === takenMessages) this.#endWithin(latestMs, connection);
      });
    });
  }

  /**
   * A process that had to wait for the processor since the answer has missed the moment, and writing wakes the client, which
   * may take the processor: there is another moment after the next answer.
   */
  #endWithin(ms: number, connection: LeavingConnection): void {
    if (this.#clock.now() - connection.idleSince <= ms) connection.closeIdle();
  }
}
