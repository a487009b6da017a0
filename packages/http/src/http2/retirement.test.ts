import { describe, expect, test } from "vitest";
import { Retirement, roundTripLimitMs, settleMs } from "./retirement.ts";

/** A retirement on a clock that a test turns, and what it did, with the times. */
function rig() {
  let now = 0;
  let timers: { readonly at: number; readonly callback: () => void }[] = [];
  const done: string[] = [];
  const pings: (() => void)[] = [];
  const retirement = new Retirement(
    {
      announce: () => done.push(`announce ${now}`),
      ping: (answered) => void pings.push(answered),
      close: () => done.push(`close ${now}`),
    },
    {
      now: () => now,
      after: (ms, callback) => {
        const timer = { at: now + ms, callback };
        timers.push(timer);
        return () => (timers = timers.filter((each) => each !== timer));
      },
    },
  );
  const turn = (ms: number): void => {
    for (const end = now + ms; ;) {
      const [next] = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) {
        now = end;
        return;
      }
      now = next.at;
      timers = timers.filter((each) => each !== next);
      next.callback();
    }
  };
  return { retirement, done, turn, answer: () => pings.forEach((each) => each()), timers: () => timers.length };
}

describe("the end of a session", () => {
  test("announced alone, it goes on for ever", () => {
    const { retirement, done, turn, answer } = rig();
    retirement.announce();
    answer();
    turn(100_000);
    expect([done, retirement.isAnnounced]).toEqual([["announce 0"], true]);
  });

  test("comes when the client has read of it, but not before a while has passed", () => {
    const { retirement, done, turn, answer } = rig();
    retirement.retire();
    turn(10);
    answer();
    turn(10_000);
    expect(done).toEqual(["announce 0", `close ${settleMs}`]);
  });

  test("comes with the answer of a client that is far away", () => {
    const { retirement, done, turn, answer } = rig();
    retirement.retire();
    turn(settleMs + 100);
    answer();
    expect(done).toEqual(["announce 0", `close ${settleMs + 100}`]);
  });

  test("comes after a second where the client does not answer", () => {
    const { retirement, done, turn } = rig();
    retirement.retire();
    turn(100_000);
    expect(done).toEqual(["announce 0", `close ${roundTripLimitMs}`]);
  });

  test("comes at once where it was announced long ago", () => {
    const { retirement, done, turn, answer } = rig();
    retirement.announce();
    answer();
    turn(5000);
    retirement.retire();
    expect(done).toEqual(["announce 0", "close 5000"]);
  });

  test("is done once, however often it is asked for", () => {
    const { retirement, done, turn, answer, timers } = rig();
    for (let n = 0; n < 3; n++) {
      retirement.announce();
      retirement.retire();
    }
    answer();
    turn(5000);
    retirement.announce();
    retirement.retire();
    expect([done, timers()]).toEqual([["announce 0", `close ${settleMs}`], 0]);
  });

  test.each(["before it was announced", "before it closed"])("a session that has gone %s is left alone", (when) => {
    const { retirement, done, turn, answer, timers } = rig();
    if (when === "before it closed") retirement.retire();
    retirement.cancel();
    retirement.retire();
    answer();
    turn(5000);
    expect([done, timers()]).toEqual([when === "before it closed" ? ["announce 0"] : [], 0]);
  });
});
