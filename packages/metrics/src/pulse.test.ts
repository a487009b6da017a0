import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { beatMs, Pulse } from "./pulse.ts";

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000_000_123 }));
afterEach(() => void vi.useRealTimers());

test("beats at full steps of the wall clock, each task at its own, in their order", () => {
  const done: string[] = [];
  const pulse = new Pulse(() => undefined);
  pulse.every("often", beatMs, (now) => done.push(`often ${now % 10_000}`));
  pulse.every("each second", 1000, (now) => done.push(`second ${now % 10_000}`));
  pulse.every("each ten", 10_000, (now) => done.push(`ten ${now % 100_000}`));
  pulse.start();
  vi.advanceTimersByTime(376);
  expect(done).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(done).toEqual(["often 500"]);
  vi.advanceTimersByTime(500);
  expect(done).toEqual(["often 500", "often 1000", "second 1000"]);
  vi.advanceTimersByTime(9000);
  expect(done.slice(-3)).toEqual(["often 0", "second 0", "ten 10000"]);
  pulse.stop();
  vi.advanceTimersByTime(60_000);
  expect(done.at(-1)).toBe("ten 10000");
});

test("a task that fails is told once, until it succeeds again; the others are done", () => {
  const told: string[] = [];
  let fails = true;
  let others = 0;
  const pulse = new Pulse((task, error) => told.push(`${task}: ${(error as Error).message}`));
  pulse.every("bad", beatMs, () => {
    if (fails) throw new Error("no");
  });
  pulse.every("good", beatMs, () => (others += 1));
  pulse.start();
  vi.advanceTimersByTime(5 * beatMs);
  expect(told).toEqual(["bad: no"]);
  fails = false;
  vi.advanceTimersByTime(beatMs);
  fails = true;
  vi.advanceTimersByTime(beatMs);
  expect([told.length, others]).toEqual([2, 7]);
});

test("a clock that is set back does not stop it", () => {
  let done = 0;
  const pulse = new Pulse(() => undefined);
  pulse.every("task", 1000, () => (done += 1));
  pulse.start();
  vi.advanceTimersByTime(3000);
  vi.setSystemTime(900_000_000_000);
  vi.advanceTimersByTime(3000);
  expect(done).toBeGreaterThanOrEqual(6);
});
