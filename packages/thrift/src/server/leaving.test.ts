import type { Clock } from "@tsserve/server";
import { describe, expect, test } from "vitest";
import { Leaving, type LeavingConnection } from "./leaving.ts";

/** A clock that stands still until a test turns it. */
class TurnedClock implements Clock {
  #time = 1000;
  #waiting: { readonly at: number; readonly callback: () => void }[] = [];

  now(): number {
    return this.#time;
  }

  after(ms: number, callback: () => void): () => void {
    const entry = { at: this.#time + ms, callback };
    this.#waiting.push(entry);
    return () => (this.#waiting = this.#waiting.filter((each) => each !== entry));
  }

  /** Lets so much time go by, and calls back what is due by then; then the loop has gone round. */
  async turn(ms: number): Promise<void> {
    this.#time += ms;
    const due = this.#waiting.filter(({ at }) => at <= this.#time);
    this.#waiting = this.#waiting.filter(({ at }) => at > this.#time);
    for (const { callback } of due) callback();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A connection as `Leaving` sees one, which notes how it was ended. */
class NotedConnection implements LeavingConnection {
  isIdle = true;
  idleSince = 1000;
  activeRequests = 0;
  takenMessages = 10;
  goesOn = false;
  usualPauseMs = 0;
  ended: "closed" | "after its answers" | "now" | undefined;
  #onIdle: (connection: LeavingConnection) => void = () => undefined;

  constructor(state: Partial<NotedConnection> = {}) {
    Object.assign(this, state);
  }

  leave(onIdle: (connection: LeavingConnection) => void): void {
    this.#onIdle = onIdle;
  }
  closeIdle(): void {
    this.ended ??= "closed";
  }
  finishReading(): void {
    this.ended ??= "after its answers";
  }
  endNow(): void {
    this.ended ??= "now";
  }

  /** Its client calls. */
  call(): void {
    this.takenMessages += 1;
    this.activeRequests = 1;
    this.isIdle = false;
    this.goesOn = true;
  }

  /** The answer was ready at `now`, and handed to the kernel so much later. */
  answer(clock: TurnedClock, lateMs = 0): void {
    this.activeRequests = 0;
    this.isIdle = true;
    this.idleSince = clock.now() - lateMs;
    this.#onIdle(this);
  }
}

const patienceMs = 800;

function leave(state: Partial<NotedConnection> = {}): { clock: TurnedClock; connection: NotedConnection; leaving: Leaving } {
  const clock = new TurnedClock();
  const connection = new NotedConnection(state);
  const leaving = new Leaving(clock, patienceMs);
  leaving.add(connection);
  return { clock, connection, leaving };
}

describe("an answer", () => {
  test.each([
    { usualPauseMs: 1, lateMs: 0.5, ended: "closed" },
    { usualPauseMs: 1, lateMs: 0.6, ended: undefined },
    { usualPauseMs: 5, lateMs: 0, ended: "closed" },
    { usualPauseMs: 5, lateMs: 2.5, ended: "closed" },
    // This process had to wait: the client's next call may be on its way.
    { usualPauseMs: 5, lateMs: 2.6, ended: undefined },
    { usualPauseMs: 5, lateMs: 12, ended: undefined },
    { usualPauseMs: 100, lateMs: 12, ended: "closed" },
    // It does not pause, or is not known.
    { usualPauseMs: 0.9, lateMs: 0, ended: undefined },
    { usualPauseMs: 0, lateMs: 0, ended: undefined },
  ])("of a client that pauses for $usualPauseMs ms, sent after $lateMs, comes with the end: $ended", ({ usualPauseMs, lateMs, ended }) => {
    const { clock, connection } = leave({ usualPauseMs });
    connection.call();
    connection.answer(clock, lateMs);
    expect(connection.ended).toBe(ended);
  });

  test("whose moment was missed is followed by one whose is not", async () => {
    const { clock, connection } = leave({ usualPauseMs: 5 });
    connection.call();
    connection.answer(clock, 4);
    await clock.turn(5);
    expect(connection.ended).toBeUndefined();
    connection.call();
    connection.answer(clock);
    expect(connection.ended).toBe("closed");
  });
});

describe("a client that is not known to pause", () => {
  test("is ended in the first pause that is seen", async () => {
    const { clock, connection } = leave();
    for (let call = 0; call < 3; call++) {
      connection.call();
      connection.answer(clock);
      await clock.turn(0.5);
      // It goes on before the pause has lasted a millisecond: that answer's moment has gone.
      connection.call();
      await clock.turn(2);
      expect(connection.ended).toBeUndefined();
      connection.answer(clock);
      connection.call();
    }
    connection.answer(clock);
    await clock.turn(0.9);
    expect(connection.ended).toBeUndefined();
    await clock.turn(0.1);
    expect(connection.ended).toBe("closed");
  });

  test.each([1.5, 2.5])("is ended %f ms after its answer", async (ms) => {
    const { clock, connection } = leave();
    connection.call();
    connection.answer(clock);
    await clock.turn(ms);
    expect(connection.ended).toBe("closed");
  });

  test.each([2.6, 5, 40])("is left when the timer comes %f ms after its answer", async (ms) => {
    const { clock, connection } = leave();
    connection.call();
    connection.answer(clock);
    await clock.turn(ms);
    expect(connection.ended).toBeUndefined();
  });

  test("is left when a part of its next message has come", async () => {
    const { clock, connection } = leave();
    connection.call();
    connection.answer(clock);
    connection.isIdle = false;
    await clock.turn(1);
    expect(connection.ended).toBeUndefined();
  });
});

describe("when the connections are looked at again", () => {
  test.each([
    { state: { idleSince: 750 }, afterMs: 0, ended: "closed", what: "has idled for 250 ms" },
    { state: { idleSince: 751 }, afterMs: 0, ended: undefined, what: "went idle a moment ago" },
    { state: { idleSince: 751 }, afterMs: 1, ended: "closed", what: "went idle a moment ago, and has stayed so" },
    { state: { isIdle: false }, afterMs: 1000, ended: undefined, what: "has half a message on its way" },
    { state: { isIdle: false }, afterMs: 1001, ended: "now", what: "has half a message on its way for more than a second" },
    { state: { isIdle: false, activeRequests: 1 }, afterMs: 5000, ended: undefined, what: "waits for the answer to its only call" },
    { state: { isIdle: false, activeRequests: 1, goesOn: true }, afterMs: patienceMs, ended: undefined, what: "goes on" },
    {
      state: { isIdle: false, activeRequests: 1, goesOn: true },
      afterMs: patienceMs + 1,
      ended: "after its answers",
      what: "never pauses",
    },
  ])("one that $what, after $afterMs ms: $ended", async ({ state, afterMs, ended }) => {
    const { clock, connection, leaving } = leave(state);
    await clock.turn(afterMs);
    leaving.look([connection]);
    expect(connection.ended).toBe(ended);
  });

  test("what idled while this process slept is given its time again", async () => {
    const { clock, connection, leaving } = leave();
    const look = async (ms: number): Promise<string | undefined> => {
      await clock.turn(ms);
      leaving.look([connection]);
      return connection.ended;
    };
    expect(await look(300)).toBeUndefined();
    for (let looked = 0; looked < 9; looked++) expect(await look(25)).toBeUndefined();
    expect(await look(25)).toBe("closed");
  });
});
