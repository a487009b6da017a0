import { Meter } from "@tsserve/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { blockedHubReporter, type LoopWatcher } from "./blocked-hub.ts";

/** An event loop over a clock of its own: what it does between sleeping and sleeping is a turn. */
let nowMs: number;
let sleptMs: number;
let immediates: (() => void)[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  [nowMs, sleptMs, immediates] = [1000, 0, []];
  vi.spyOn(performance, "now").mockImplementation(() => nowMs);
  vi.spyOn(performance.nodeTiming, "idleTime", "get").mockImplementation(() => sleptMs);
  vi.spyOn(globalThis, "setImmediate").mockImplementation(((run: () => void) => {
    immediates.push(run);
    return { unref: () => run };
  }) as unknown as typeof setImmediate);
  vi.spyOn(globalThis, "clearImmediate").mockImplementation((run) => {
    immediates = immediates.filter((each) => each !== (run as unknown));
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function sleep(ms: number): void {
  nowMs += ms;
  sleptMs += ms;
}

/** It works for some time; a timer that became due meanwhile runs once, late. */
function work(ms: number): void {
  nowMs += ms;
  const due = immediates;
  immediates = [];
  for (const run of due) run();
}

/** The beats of a loop that turns as `turn` has it, for so long. */
function beatFor(totalMs: number, everyMs: number, turn: (ms: number) => void): void {
  for (let passed = 0; passed < totalMs; passed += everyMs) {
    turn(everyMs);
    vi.advanceTimersByTime(everyMs);
  }
}

interface Told extends LoopWatcher {
  beats: number;
  grants: boolean;
  readonly rests: boolean[];
}

function watch(thresholdMs: number): { watcher: Told; blocks: number[]; observed: () => number; end: () => void } {
  const watcher: Told = {
    beats: 0,
    grants: true,
    rests: [],
    beat: () => void (watcher.beats += 1),
    mayRest: () => watcher.grants,
    rest: (isResting) => {
      if (watcher.rests.at(-1) !== isResting) watcher.rests.push(isResting);
    },
  };
  const meter = new Meter();
  const blocks: number[] = [];
  const reporter = blockedHubReporter(meter, "host", thresholdMs, watcher, { timing: (_, ms) => blocks.push(ms) });
  const observed = (): number => {
    const [series] = meter.series;
    if (series === undefined) return 0;
    return [...meter.values.subarray(series.cell, series.cell + series.cells - 1)].reduce((sum, each) => sum + each, 0);
  };
  return { watcher, blocks, observed, end: () => reporter.end?.() };
}

describe("while the loop works", () => {
  test.each([
    [100, 50],
    [10, 5],
    [1, 2],
    [10_000, 50],
  ])("at a threshold of %d ms, there is a beat at once, and then each %d ms", (thresholdMs, beatMs) => {
    const { watcher } = watch(thresholdMs);
    expect(watcher.beats).toBe(1);
    beatFor(beatMs * 10, beatMs, work);
    expect(watcher.beats).toBe(11);
  });

  test.each([
    [60, []],
    [124, []],
    [125, [100]],
    [525, [500]],
  ])("a timer of 50 ms that comes after %d ms shows the blocks %j of 100 ms and more", (ms, expected) => {
    const { blocks, observed } = watch(100);
    beatFor(500, 50, work);
    work(ms);
    vi.advanceTimersByTime(50);
    beatFor(500, 50, work);
    expect([blocks, observed()]).toEqual([expected, expected.length]);
  });
});

describe("a loop that has nothing to do", () => {
  test("rests after a second, and gives a beat for each turn then", () => {
    const { watcher } = watch(100);
    beatFor(900, 50, sleep);
    expect(watcher.rests).toEqual([]);
    beatFor(200, 50, sleep);
    expect(watcher.rests).toEqual([true]);
    const before = watcher.beats;
    beatFor(60_000, 50, sleep);
    expect(watcher.beats).toBe(before);
    work(1);
    expect(watcher.beats).toBe(before + 1);
  });

  test("goes on giving beats where the watcher can't tell that it sleeps", () => {
    const { watcher } = watch(100);
    watcher.grants = false;
    beatFor(10_000, 50, sleep);
    expect(watcher.rests).toEqual([]);
    expect(watcher.beats).toBe(201);
  });

  test("is one that sleeps for nine tenths of the time", () => {
    const { watcher } = watch(100);
    const turn = (slept: number): void => {
      sleep(slept);
      work(50 - slept);
    };
    beatFor(5000, 50, () => turn(44));
    expect(watcher.rests).toEqual([false]);
    beatFor(5000, 50, () => turn(46));
    expect(watcher.rests).toEqual([false, true]);
  });

  test("each block is observed with its length to the millisecond, however long it slept before", () => {
    const { blocks, observed } = watch(100);
    beatFor(2000, 50, sleep);
    for (const ms of [99, 100, 150, 20]) {
      sleep(60_000);
      work(ms);
      beatFor(2000, 50, sleep);
    }
    expect(blocks).toEqual([100, 150]);
    expect(observed()).toBe(2);
  });

  test("many short turns are no block, and begin the beats again", () => {
    const { watcher, blocks } = watch(100);
    beatFor(2000, 50, sleep);
    for (let n = 0; n < 51; n++) {
      sleep(10);
      work(0.1);
    }
    expect(watcher.rests).toEqual([true, false]);
    const before = watcher.beats;
    beatFor(500, 50, work);
    expect(watcher.beats).toBe(before + 10);
    expect(blocks).toEqual([]);
  });

  test("few turns with much work begin the beats again, and few with little do not", () => {
    const { watcher } = watch(1000);
    beatFor(2000, 50, sleep);
    for (let n = 0; n < 1000; n++) {
      sleep(500);
      work(20);
    }
    expect(watcher.rests).toEqual([true]);
    for (let n = 0; n < 6; n++) {
      sleep(30);
      work(20);
    }
    expect(watcher.rests).toEqual([true, false]);
  });
});

test.each([0, 5000])("after its end, %d ms after the start, there are neither beats nor turns", (ms) => {
  const { watcher, end } = watch(100);
  beatFor(ms, 50, sleep);
  end();
  const before = watcher.beats;
  work(1);
  beatFor(1000, 50, work);
  expect(watcher.beats).toBe(before);
});
