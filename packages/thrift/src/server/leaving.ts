import type { Clock } from "@tsserve/server";
import type { Connection } from "./connection.ts";

/** How long a connection that went idle a moment ago is kept after the listener has closed: its next request may be on its way. */
const lingerMs = 250;
/** How long a half-sent message may go on coming after the listener has closed. */
const halfSentLimitMs = 1000;
/** A client that has sent nothing for so long after its answer pauses: an end that is sent now reaches it before it goes on. */
const quietMs = 1;
/** An end that is sent later than this after the answer may cross with the next request of a client that pauses for 5 ms. */
const latestMs = 2.5;

/**
 * Ends the connections of a server that stops. Framed and unframed clients can't be told to go elsewhere: one that
 * gets the end together with an answer has often sent its next request by then, which is lost. So a connection is
 * served on until its client pauses, and ended in that pause; one whose client never pauses is ended with an answer
 * when `patienceMs` are over.
 */
export class Leaving {
  readonly #clock: Clock;
  readonly #since: number;
  readonly #patienceMs: number;

  constructor(clock: Clock, patienceMs: number) {
    this.#clock = clock;
    this.#since = clock.now();
    this.#patienceMs = patienceMs;
  }

  add(connection: Connection): void {
    connection.leave((each) => this.#endAfterQuiet(each));
    this.check(connection);
  }

  /** Ends a connection whose time is up; to be called for each again and again. */
  check(connection: Connection): void {
    const now = this.#clock.now();
    if (connection.isIdle) {
      if (now - connection.idleSince >= lingerMs) connection.finish();
    } else if (connection.activeRequests === 0) {
      if (now - this.#since > halfSentLimitMs) connection.endNow();
    } else if (connection.goesOn && now - this.#since > this.#patienceMs) connection.finishReading();
  }

  #endAfterQuiet(connection: Connection): void {
    const { takenMessages } = connection;
    const answeredAt = this.#clock.now();
    this.#clock.after(quietMs, () => {
      // What has come meanwhile is read before this.
      setImmediate(() => {
        if (!connection.isIdle || connection.takenMessages !== takenMessages) return;
        // A process that had to wait for the processor has missed the moment: there is another one after the next answer.
        if (this.#clock.now() - answeredAt <= latestMs) connection.finish();
      });
    });
  }
}
