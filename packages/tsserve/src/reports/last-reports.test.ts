import type { Clock } from "@tsserve/server";
import { describe, expect, test } from "vitest";
import { LastReports, lastReportsMs } from "./last-reports.ts";

/** Its time goes on only when it is told to. */
class TurnedClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>();

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  get pending(): number {
    return this.#timers.size;
  }

  /** Time goes on as it does for a process that runs: no timer is late by more than a millisecond. */
  async turn(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed++) {
      this.standStill(1);
      await settled();
    }
  }

  /** Time goes on while nothing runs: every timer that is over meanwhile fires at once, and late. */
  standStill(ms: number): void {
    this.#now += ms;
    for (const timer of this.#timers) {
      if (timer.at > this.#now) continue;
      this.#timers.delete(timer);
      timer.callback();
    }
  }
}

const never = (): Promise<void> => new Promise(() => {});
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

function reporting(senders: readonly (() => Promise<unknown>)[]): {
  readonly clock: TurnedClock;
  readonly failures: string[];
  readonly state: { isOver: boolean };
} {
  const clock = new TurnedClock();
  const failures: string[] = [];
  const reports = new LastReports(clock, ({ message }) => failures.push(message));
  for (const sender of senders) reports.add(sender);
  const state = { isOver: false };
  void reports.send().then(() => (state.isOver = true));
  return { clock, failures, state };
}

describe("the last reports", () => {
  test("of however many that never answer, they share one bound", async () => {
    let begun = 0;
    const silent = (): Promise<void> => ((begun += 1), never());
    const { clock, state } = reporting([silent, silent, silent]);
    await settled();
    // All are being sent before the first of them is given up.
    expect(begun).toBe(3);
    await clock.turn(lastReportsMs - 1);
    expect(state.isOver).toBe(false);
    await clock.turn(1);
    expect([state.isOver, clock.pending]).toEqual([true, 0]);
  });

  test.each([1, 300, lastReportsMs, 60_000])(
    "are not given up for a standstill of %i ms, which ends a small part of the bound",
    async (ms) => {
      const { clock, state } = reporting([never]);
      await settled();
      clock.standStill(ms);
      await clock.turn(lastReportsMs * 0.9);
      expect(state.isOver).toBe(false);
      await clock.turn(lastReportsMs * 0.1);
      expect(state.isOver).toBe(true);
    },
  );

  test("are over when the slowest is, and leave no timer", async () => {
    let arrive = (): void => undefined;
    const slow = new Promise<void>((resolve) => (arrive = resolve));
    const { clock, state } = reporting([() => Promise.resolve(), () => slow]);
    await settled();
    expect([state.isOver, clock.pending]).toEqual([false, 1]);
    arrive();
    await settled();
    expect([state.isOver, clock.pending]).toEqual([true, 0]);
  });

  test.each([
    ["rejects", () => Promise.reject(new Error("refused"))],
    [
      "throws",
      () => {
        throw new Error("refused");
      },
    ],
    ["rejects with no error", () => Promise.reject("refused" as unknown as Error)],
  ])("of one that %s, it is told, and the others are sent", async (_how, sender) => {
    let sent = 0;
    const { failures, state } = reporting([sender, () => Promise.resolve((sent += 1))]);
    await settled();
    expect([failures, sent, state.isOver]).toEqual([[expect.stringMatching(/refused$/)], 1, true]);
  });

  test("are sent once, and where there are none, nothing is waited for", async () => {
    const clock = new TurnedClock();
    let sent = 0;
    const reports = new LastReports(clock, () => undefined);
    await reports.send();
    reports.add(() => Promise.resolve((sent += 1)));
    await reports.send();
    await reports.send();
    expect([sent, clock.pending]).toEqual([1, 0]);
  });

  test("take no more of a stop than the documents and the manifests say", () => {
    expect(lastReportsMs).toBe(2000);
  });
});
