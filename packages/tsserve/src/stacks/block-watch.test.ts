import { createRequire } from "node:module";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { cells, makeSharedCells, rests, type ObservedThread, type WatchForBlocks } from "./shared.ts";

// A CommonJS module of TypeScript's, which Vite does not take.
const { watchForBlocks } = createRequire(import.meta.url)("../../dist/stacks/block-watch.cjs") as { watchForBlocks: WatchForBlocks };

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

const nowNs = (): bigint => BigInt(Date.now()) * 1_000_000n;

interface Seen {
  /** For how long the loop had stood still when each block was told, in milliseconds. */
  readonly toldAfterMs: number[];
  readonly current: (() => boolean)[];
}

/** A main thread that does as it is told, and its watch. */
function watch(thresholdMs: number, polled: number | "elsewhere" = 15) {
  const shared = makeSharedCells();
  const thread = { place: polled as ReturnType<ObservedThread["place"]>, workedMs: 0, looks: 0, reads: 0 };
  let stuckSince = 0;
  const seen: Seen = { toldAfterMs: [], current: [] };
  const beat = (): void => {
    Atomics.store(shared, cells.beat, nowNs());
    thread.place = polled;
  };
  watchForBlocks({
    thresholdMs,
    shared,
    cells,
    rests,
    nowNs,
    thread: {
      place: () => {
        thread.looks += 1;
        return thread.place;
      },
      workedNs: () => {
        thread.reads += 1;
        return BigInt(thread.workedMs) * 1_000_000n;
      },
    },
    onBlock: (isCurrent) => {
      seen.toldAfterMs.push(Date.now() - stuckSince);
      seen.current.push(isCurrent);
    },
  });
  const pass = (ms: number, eachMs: () => void = () => undefined): void => {
    for (let n = 0; n < ms; n++) {
      vi.advanceTimersByTime(1);
      eachMs();
    }
  };
  return {
    shared,
    thread,
    seen,
    beat,
    pass,
    /** Beats all the time. */
    turn: (ms: number, everyMs = 50) => {
      for (let passed = 0; passed < ms; passed += everyMs) {
        beat();
        pass(everyMs);
      }
    },
    /** The loop asks to rest until it may, and rests. */
    rest: () => {
      for (let n = 0; n < 100 && Atomics.load(shared, cells.rest) !== rests.granted; n++) {
        beat();
        Atomics.compareExchange(shared, cells.rest, rests.beating, rests.asked);
        pass(50);
      }
      const isGranted = Atomics.load(shared, cells.rest) === rests.granted;
      if (isGranted) Atomics.store(shared, cells.rest, rests.resting);
      return isGranted;
    },
    /** The loop wakes and stands still; what runs works all the time. */
    stand: (ms: number, place: "running" | "elsewhere" | number) => {
      stuckSince = Date.now();
      thread.place = place;
      pass(ms, () => {
        if (place === "running") thread.workedMs += 1;
      });
      beat();
    },
  };
}

describe("a loop that beats", () => {
  test("is not blocked while it does, and nobody looks at its thread", () => {
    const { turn, seen, thread } = watch(100);
    turn(60_000);
    expect(seen.toldAfterMs).toEqual([]);
    expect(thread.looks).toBe(0);
  });

  test("before the first beat, nothing is a block", () => {
    const { pass, seen } = watch(100);
    pass(60_000);
    expect(seen.toldAfterMs).toEqual([]);
  });

  test.each([10, 100, 1000])("is blocked when its last beat is %d ms old, is told of once, and then for the next one", (thresholdMs) => {
    const { turn, stand, seen } = watch(thresholdMs);
    for (let n = 0; n < 3; n++) {
      turn(thresholdMs * 10, thresholdMs / 2);
      stand(thresholdMs * 20, "running");
    }
    expect(seen.toldAfterMs).toHaveLength(3);
    for (const ms of seen.toldAfterMs) expect([ms > thresholdMs * 0.4, ms <= thresholdMs * 1.1]).toEqual([true, true]);
  });

  test("a block is current until the next beat", () => {
    const { turn, stand, pass, seen } = watch(100);
    turn(1000);
    stand(200, "running");
    expect(seen.current[0]?.()).toBe(false);
    pass(500);
    expect(seen.current.map((each) => each())).toEqual([false, true]);
  });

  test("a time that is longer than timers take is as long as it says", () => {
    const { turn, seen } = watch(60 * 24 * 3600 * 1000);
    turn(10_000);
    expect(seen.toldAfterMs).toEqual([]);
    expect(vi.getTimerCount()).toBe(1);
  });
});

describe("a loop that rests", () => {
  test("is let once its thread was seen three times in the place where it polls", () => {
    const { rest, thread } = watch(100);
    expect(rest()).toBe(true);
    expect(thread.looks).toBeGreaterThanOrEqual(3);
  });

  test("is not let where nobody can tell where its thread is", () => {
    const { rest, turn, stand, seen } = watch(100, "elsewhere");
    expect(rest()).toBe(false);
    turn(1000);
    stand(500, "running");
    expect(seen.toldAfterMs).toHaveLength(1);
  });

  test("is not let where its thread waits in other places each time", () => {
    const { shared, thread, beat, pass } = watch(100);
    Atomics.store(shared, cells.rest, rests.asked);
    for (let n = 0; n < 200; n++) {
      beat();
      thread.place = n;
      pass(50);
    }
    expect(Atomics.load(shared, cells.rest)).toBe(rests.asked);
  });

  test("one place that it was seen in at one beat is no proof: a process that it waits for may poll there", () => {
    const { shared, thread, beat, pass } = watch(10_000);
    for (let n = 0; n < 3; n++) {
      beat();
      pass(5000);
    }
    // Beats came until now, and it asked just before the last one.
    Atomics.store(shared, cells.rest, rests.asked);
    beat();
    thread.place = 99;
    pass(9900);
    expect(thread.looks).toBeGreaterThan(0);
    expect(Atomics.load(shared, cells.rest)).toBe(rests.asked);
  });

  test("sleeps for an hour, and nobody takes it for blocked; it is looked at once in a threshold", () => {
    const { rest, pass, seen, thread } = watch(100);
    rest();
    pass(200);
    const before = thread.looks;
    vi.advanceTimersByTime(3_600_000);
    expect(seen.toldAfterMs).toEqual([]);
    expect(thread.looks - before).toBe(36_000);
    expect(thread.reads).toBeLessThanOrEqual(1);
  });

  test("short turns are no blocks, whatever they do", () => {
    const { rest, pass, stand, seen } = watch(100);
    rest();
    for (let n = 0; n < 300; n++) {
      pass(7 * (n % 41));
      stand(n % 40, (["running", "elsewhere", 99] as const)[n % 3] ?? "running");
    }
    expect(seen.toldAfterMs).toEqual([]);
  });

  test("what runs for longer than the threshold is told of when it is that long, whenever it began", () => {
    const { rest, pass, stand, seen } = watch(100);
    rest();
    for (let n = 0; n < 100; n++) {
      pass(500 + n);
      stand(120, "running");
    }
    expect(seen.toldAfterMs).toHaveLength(100);
    for (const ms of seen.toldAfterMs) expect([ms >= 99, ms <= 105]).toEqual([true, true]);
  });

  test.each(["elsewhere" as const, 99])("what waits (%s) is told of when it has been there for about the threshold", (place) => {
    const { rest, pass, stand, seen } = watch(100);
    rest();
    for (let n = 0; n < 100; n++) {
      pass(500 + n);
      stand(300, place);
    }
    expect(seen.toldAfterMs).toHaveLength(100);
    for (const ms of seen.toldAfterMs) expect([ms >= 49, ms <= 155]).toEqual([true, true]);
  });

  test("a long block is told of once; the loop can beat again after it, and rest once more", () => {
    const { rest, shared, pass, stand, turn, seen, thread } = watch(100);
    rest();
    pass(1000);
    stand(30_000, "running");
    expect(seen.toldAfterMs).toHaveLength(1);
    Atomics.store(shared, cells.rest, rests.beating);
    turn(2000);
    const before = thread.looks;
    turn(2000);
    expect(thread.looks).toBe(before);
    expect(rest()).toBe(true);
    pass(60_000);
    expect(seen.toldAfterMs).toHaveLength(1);
  });
});
