import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock, timerMs, wait } from "./clock.ts";

const dayMs = 86_400_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a delay that is longer than Node's timers take", () => {
  test.each([1, 24, 25, 30, 60, 100])("of %i days is neither cut nor over at once", (days) => {
    let calls = 0;
    systemClock.after(days * dayMs, () => (calls += 1));
    vi.advanceTimersByTime(days * dayMs - 1);
    expect(calls).toBe(0);
    vi.advanceTimersByTime(1);
    expect(calls).toBe(1);
    vi.advanceTimersByTime(100 * dayMs);
    expect(calls).toBe(1);
  });

  test("without an end never comes, and keeps no second timer", () => {
    let calls = 0;
    systemClock.after(Number.POSITIVE_INFINITY, () => (calls += 1));
    vi.advanceTimersByTime(365 * dayMs);
    expect([calls, vi.getTimerCount()]).toEqual([0, 1]);
  });

  test("is cancelled at any time", () => {
    let calls = 0;
    const cancel = systemClock.after(60 * dayMs, () => (calls += 1));
    vi.advanceTimersByTime(30 * dayMs);
    cancel();
    vi.advanceTimersByTime(60 * dayMs);
    expect([calls, vi.getTimerCount()]).toEqual([0, 0]);
  });
});

test("a limit that nobody means to be reached fits a timer", () => {
  expect([timerMs(0), timerMs(5000), timerMs(30 * dayMs), timerMs(Number.POSITIVE_INFINITY)]).toEqual([0, 5000, 2 ** 31 - 1, 2 ** 31 - 1]);
});

test("waiting ends with the delay, or with the signal", async () => {
  const controller = new AbortController();
  const ended: string[] = [];
  const first = wait(systemClock, 1000).then(() => ended.push("delay"));
  const second = wait(systemClock, 5000, controller.signal).then(() => ended.push("signal"));
  await wait(systemClock, 5000, AbortSignal.abort());
  await vi.advanceTimersByTimeAsync(1000);
  await first;
  controller.abort();
  await second;
  expect([ended, vi.getTimerCount()]).toEqual([["delay", "signal"], 0]);
});
