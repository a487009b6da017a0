import { describe, expect, test } from "vitest";
import { Causes } from "./causes.ts";
import type { Clock } from "./clock.ts";
import type { LifecycleEvent } from "./events.ts";
import { exitCodeAfter } from "./exit-codes.ts";
import { runLifecycle, type Step } from "./lifecycle.ts";
import { makeServerState } from "./state.ts";

/** A clock that a test turns by hand. */
class FakeClock implements Clock {
  #now = 0;
  #timers: { at: number; run: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#timers.push(timer);
    return () => (this.#timers = this.#timers.filter((each) => each !== timer));
  }

  get pending(): number {
    return this.#timers.length;
  }

  async advance(ms: number): Promise<void> {
    this.#now += ms;
    const due = this.#timers.filter(({ at }) => at <= this.#now).sort((a, b) => a.at - b.at);
    this.#timers = this.#timers.filter(({ at }) => at > this.#now);
    for (const { run } of due) run();
    await settle();
  }
}

/** Lets all that is ready run. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Rig {
  readonly clock: FakeClock;
  readonly causes: Causes;
  readonly said: string[];
  readonly exits: number[];
  readonly state: ReturnType<typeof makeServerState>;
  result(): number | undefined;
}

function rig(steps: readonly Step[], { drainTimeMs = 0, stopTimeoutMs = 10_000 } = {}): Rig {
  const clock = new FakeClock();
  const causes = new Causes();
  const said: string[] = [];
  const exits: number[] = [];
  const state = makeServerState();
  let result: number | undefined;
  const emit = (event: LifecycleEvent): void => void said.push("step" in event ? `${event.type} ${event.step}` : event.type);
  void runLifecycle({
    start: async (begin) => {
      for (const each of steps) await begin(each);
      return ["somewhere"];
    },
    settings: { drainTimeMs, stopTimeoutMs },
    state,
    clock,
    causes,
    emit,
    requests: () => [],
    exit: (code) => exits.push(code),
  }).then((end) => (result = exitCodeAfter(end)));
  return { clock, causes, said, exits, state, result: () => result };
}

function step(name: string, more: Partial<Step> = {}): Step {
  return { name, start: () => Promise.resolve(), ...more };
}

const never = new Promise<never>(() => undefined);
const term = { kind: "signal", signal: "SIGTERM" } as const;

describe("start", () => {
  test("in order, then running", async () => {
    const { said, state, result } = rig([step("a"), step("b")]);
    await settle();
    expect(said).toEqual(["step-started a", "step-started b", "running"]);
    expect([state.state, state.shutting_down, result()]).toEqual(["RUNNING", false, undefined]);
  });

  test("one that fails rolls back what had started, in reverse, and nothing else: exit code 3", async () => {
    const stopped: string[] = [];
    const stop = (name: string) => () => Promise.resolve(void stopped.push(name));
    const { said, result } = rig([
      step("a", { stop: stop("a") }),
      step("b", { stop: stop("b") }),
      step("c", { start: () => Promise.reject(new Error("no")), stop: stop("c") }),
      step("d", { stop: stop("d") }),
    ]);
    await settle();
    expect(stopped).toEqual(["b", "a"]);
    expect([said.at(-1), result()]).toEqual(["step-failed c", 3]);
  });

  test("what a step's start gives is handed to its other functions", async () => {
    const seen: unknown[] = [];
    const thing = { name: "thing" };
    const gives: Step<object> = {
      name: "a",
      start: () => thing,
      drain: (given) => void seen.push(given),
      stop: (given) => void seen.push(given),
    };
    const { causes } = rig([gives as Step<unknown> as Step]);
    await settle();
    causes.add(term);
    await settle();
    expect(seen).toEqual([thing, thing]);
  });

  test("a signal ends it, undoes what had started, and nothing else: exit code 0", async () => {
    const stopped: string[] = [];
    const stop = (name: string) => () => void stopped.push(name);
    const { causes, said, result } = rig([step("a", { stop: stop("a") }), step("b", { start: () => never, stop: stop("b") })]);
    await settle();
    causes.add(term);
    await settle();
    expect(said).toEqual(["step-started a", "start-interrupted b", "stopped"]);
    expect([stopped, result()]).toEqual([["a"], 0]);
  });

  test("after a signal, no further step begins", async () => {
    const { result, causes, said } = rig([
      step("a"),
      step("b", {
        start: () => {
          throw new Error("begun");
        },
      }),
    ]);
    causes.add(term);
    await settle();
    expect([said, result()]).toEqual([["step-started a", "start-interrupted b", "stopped"], 0]);
  });

  test("an error that nobody caught fails it: exit code 3", async () => {
    const { causes, said, result } = rig([step("a", { start: () => never })]);
    causes.add({ kind: "uncaught", error: new Error("x"), origin: "exception" });
    await settle();
    expect([said.at(-1), result()]).toEqual(["step-failed a", 3]);
  });
});

describe("stop", () => {
  test("drains all, then stops in reverse: exit code 0", async () => {
    const order: string[] = [];
    const both = (name: string): Step =>
      step(name, { drain: () => void order.push(`drain ${name}`), stop: () => Promise.resolve(void order.push(`stop ${name}`)) });
    const { causes, clock, state, result } = rig([both("a"), both("b")], { drainTimeMs: 5000 });
    await settle();
    causes.add(term);
    await settle();
    expect(order).toEqual(["drain a", "drain b"]);
    expect(state.shutting_down).toBe(true);
    await clock.advance(4999);
    expect(order).toHaveLength(2);
    await clock.advance(1);
    expect(order.slice(2)).toEqual(["stop b", "stop a"]);
    expect([result(), clock.pending]).toEqual([0, 0]);
  });

  test("a second signal ends the drain, a third the process", async () => {
    const { causes, clock, exits, said } = rig([step("a", { stop: () => never })], { drainTimeMs: 5000 });
    await settle();
    causes.add(term);
    await settle();
    causes.add(term);
    await settle();
    expect([said.at(-1), clock.now(), exits]).toEqual(["stopping", 0, []]);
    causes.add({ kind: "signal", signal: "SIGINT" });
    expect(exits).toEqual([130]);
  });

  test("one deadline for all steps, and what overruns it by a second is left behind: exit code 1", async () => {
    let aborted = false;
    const { causes, clock, said, result } = rig(
      [
        step("a", { stop: () => never }),
        step("b", { stop: (_, deadline) => (deadline.addEventListener("abort", () => (aborted = true)), never) }),
      ],
      { stopTimeoutMs: 3000 },
    );
    await settle();
    causes.add(term);
    await settle();
    await clock.advance(3000);
    expect([aborted, result()]).toEqual([true, undefined]);
    await clock.advance(1000);
    expect(said.at(-1)).toBe("stop-overran b");
    await clock.advance(1000);
    expect(said.slice(-2)).toEqual(["stop-overran a", "stopped"]);
    expect(result()).toBe(1);
  });

  test("what was cut, or fails, makes exit code 1, and the others still stop", async () => {
    for (const stop of [() => Promise.resolve({ cut: 2 }), () => Promise.reject(new Error("no"))]) {
      let last = false;
      const { causes, result } = rig([step("a", { stop: () => Promise.resolve(void (last = true)) }), step("b", { stop })]);
      await settle();
      causes.add(term);
      await settle();
      expect([last, result()]).toEqual([true, 1]);
    }
  });

  test("a server that ended by itself is not drained: exit code 1", async () => {
    const { causes, clock, result } = rig([step("a")], { drainTimeMs: 5000 });
    await settle();
    causes.add({ kind: "server-ended" });
    await settle();
    expect([clock.now(), result()]).toEqual([0, 1]);
  });

  test("a vanished master is a graceful stop: exit code 0", async () => {
    const { causes, result } = rig([step("a")]);
    await settle();
    causes.add({ kind: "orphaned", masterPid: 7 });
    await settle();
    expect(result()).toBe(0);
  });

  test("an error in the middle of it makes exit code 1", async () => {
    const { causes, clock, said, result } = rig([step("a")], { drainTimeMs: 1000 });
    await settle();
    causes.add(term);
    await settle();
    causes.add({ kind: "uncaught", error: new Error("x"), origin: "rejection" });
    await clock.advance(1000);
    expect(said).toContain("error-during-shutdown");
    expect(result()).toBe(1);
  });
});

test("the state tells of the shutdown once, at once", async () => {
  const { causes, state } = rig([step("a")]);
  let told = 0;
  state.once("shutdown", () => (told += 1));
  await settle();
  causes.add(term);
  causes.add(term);
  await settle();
  expect(told).toBe(1);
});
