import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeFleet, type Action, type Fleet, type FleetEvent, type FleetOptions, type UpgradeMode } from "./fleet.ts";
import { step } from "./step.ts";

const options: FleetOptions = {
  upgradeMode: "smooth",
  startTimeoutMs: 60_000,
  killAfterMs: 20_000,
  limits: { maxRequests: 1e9, maxRequestsJitter: 0, maxAgeMs: undefined, maxMemoryBytes: undefined },
  workerTimeoutMs: undefined,
};

/** A fleet with processes that behave as a test says. */
class Simulation {
  fleet: Fleet;
  now = 1000;
  #sets = 0;
  readonly actions: Action[] = [];

  constructor(target: number, overrides: Partial<FleetOptions> = {}) {
    this.fleet = makeFleet(target, { ...options, ...overrides });
    this.send({ type: "tick" });
  }

  /** Processes get the pid 100 + id, and the sockets of their slot. */
  send(event: FleetEvent): readonly Action[] {
    const { fleet, actions } = step(this.fleet, event, this.now);
    this.fleet = fleet;
    this.actions.push(...actions);
    for (const action of actions) {
      if (action.type !== "spawn") continue;
      const { id, slot } = action.worker;
      this.#sets = Math.max(this.#sets, slot + 1);
      this.send({ type: "sockets", sets: this.#sets });
      this.send({ type: "spawned", id, pid: 100 + id, set: slot, jitter: 0 });
    }
    return actions;
  }

  acknowledge(id: number): void {
    this.send({ type: "acknowledged", id });
  }

  exit(id: number): void {
    this.send({ type: "exited", id, code: 1, signal: null });
  }

  hear(id: number, memoryBytes = 0, requestsTotal = 0): void {
    this.send({ type: "heard", id, figures: { activeRequests: 0, requestsTotal, memoryBytes, eventLoopUtilization: 0 } });
  }

  hearAll(): void {
    for (const { id, state } of this.fleet.workers) if (state === "up") this.hear(id);
  }

  /** Time goes on in seconds, and each worker that is up reports. */
  live(ms: number): void {
    for (let passed = 0; passed < ms; passed += 1000) {
      this.now += 1000;
      this.hearAll();
    }
  }

  pass(ms: number): void {
    this.now += ms;
    this.send({ type: "tick" });
  }

  /** Every start is acknowledged, and every stop obeyed, until nothing changes. */
  run(): void {
    for (let before = ""; before !== this.print();) {
      before = this.print();
      for (const { id, state } of this.fleet.workers) {
        if (state === "starting") this.acknowledge(id);
        else if (state === "stopping") this.exit(id);
      }
    }
  }

  print(): string {
    return this.fleet.workers
      .map(({ id, index, generation, state, retires }) => `${id}:${index}:${generation}:${state}${retires ? ":retiring" : ""}`)
      .join(" ");
  }

  taken(): string[] {
    return this.actions.splice(0).flatMap((action) => {
      if (action.type === "spawn" || action.type === "stop" || action.type === "kill") return [`${action.type} ${action.worker.id}`];
      if (action.type === "ended") return ["ended"];
      if (action.type !== "tell") return [];
      const { event } = action;
      const isNews = ["upgraded", "never-served", "abandoned", "retiring", "blocked", "max-memory-too-low"].includes(event.type);
      return isNews ? ["worker" in event ? `${event.type} ${event.worker.id}` : event.type] : [];
    });
  }

  /** What was done of other kinds. */
  rest(): string[] {
    return this.actions.splice(0).flatMap((action) => {
      if (action.type === "lend" || action.type === "take-back") return [`${action.type} ${action.set} ${action.worker.id}`];
      if (action.type === "rest" || action.type === "return") return [`${action.type} ${action.worker.id}`];
      if (action.type === "hurry") return [`hurry ${action.ends} ${action.worker.id}`];
      if (action.type === "answer") return [`answer ${action.request} ${action.answer.type} ${action.answer.ok}`];
      return [];
    });
  }
}

function served(count: number, overrides: Partial<FleetOptions> = {}): Simulation {
  const simulation = new Simulation(count, overrides);
  simulation.run();
  simulation.taken();
  return simulation;
}

describe("the fleet", () => {
  test("starts its workers at once", () => {
    const simulation = new Simulation(3);
    expect(simulation.taken()).toEqual(["spawn 1", "spawn 2", "spawn 3"]);
    simulation.run();
    expect(simulation.print()).toBe("1:0:1:up 2:1:1:up 3:2:1:up");
  });

  test("replaces a dead worker at once, in its slot", () => {
    const simulation = served(3);
    simulation.exit(2);
    expect(simulation.taken()).toEqual(["spawn 4"]);
    expect(simulation.print()).toBe("1:0:1:up 3:2:1:up 4:1:1:starting");
  });

  test.each(["before they are up", "soon after it"])("waits for longer and longer while workers die %s", (when) => {
    const simulation = served(1);
    simulation.live(11_000);
    simulation.exit(1);
    const delays: number[] = [];
    for (let id = 2; id < 13; id++) {
      if (when === "soon after it") {
        simulation.acknowledge(id);
        simulation.live(9000);
      }
      simulation.exit(id);
      const delayMs = Math.max(0, simulation.fleet.notBefore - simulation.now);
      delays.push(delayMs);
      if (delayMs > 0) expect(simulation.fleet.tickAt).toBe(simulation.now + delayMs);
      simulation.pass(delayMs);
      expect(simulation.taken().filter((action) => action.startsWith("spawn"))).toHaveLength(id === 2 ? 2 : 1);
    }
    expect(delays).toEqual([0, 250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    simulation.run();
    simulation.live(11_000);
    expect(simulation.fleet.youngDeaths).toBe(0);
  });

  test("workers that die together are one round: the others do not wait longer for it", () => {
    const simulation = served(4);
    simulation.live(1000);
    for (const id of [1, 2, 3, 4]) simulation.exit(id);
    expect(simulation.taken().filter((action) => action.startsWith("spawn"))).toHaveLength(4);
    expect(simulation.fleet.youngDeaths).toBe(1);
  });

  test("a worker that leaves by itself is replaced when it begins to, not when it has gone", () => {
    const simulation = served(2);
    simulation.live(11_000);
    simulation.taken();
    simulation.send({ type: "leaving", id: 1, reason: "SIGTERM" });
    expect(simulation.taken()).toEqual(["spawn 3"]);
    expect(simulation.print()).toBe("1:0:1:stopping 2:1:1:up 3:2:1:starting");
    // It has its time to stop, and no longer.
    simulation.pass(20_000);
    simulation.pass(3000);
    expect(simulation.taken()).toContain("kill 1");
  });

  test("gives up when none of the first generation comes up, and not before all have tried", () => {
    const simulation = new Simulation(3);
    simulation.exit(1);
    simulation.exit(2);
    expect(simulation.taken()).toEqual(["spawn 1", "spawn 2", "spawn 3"]);
    simulation.exit(3);
    expect(simulation.taken()).toEqual(["never-served", "ended"]);
    expect(simulation.fleet).toMatchObject({ stopping: "never-served", exitCodes: [1, 1, 1] });
  });

  test("those of the first generation that failed are tried again when one has come up", () => {
    const simulation = new Simulation(2);
    simulation.exit(1);
    simulation.taken();
    simulation.acknowledge(2);
    expect(simulation.taken()).toEqual(["spawn 3"]);
  });

  test("upgrades smoothly: one new worker up, one old one stopped, in turn", () => {
    const simulation = served(2);
    simulation.send({ type: "upgrade" });
    expect(simulation.taken()).toEqual(["spawn 3"]);
    simulation.acknowledge(3);
    expect(simulation.taken()).toEqual(["stop 1", "spawn 4"]);
    simulation.acknowledge(4);
    expect(simulation.taken()).toEqual(["stop 2", "upgraded"]);
    simulation.run();
    expect(simulation.print()).toBe("3:2:2:up 4:3:2:up");
    expect(simulation.fleet).toMatchObject({ generation: 2, upgrade: undefined });
  });

  test("upgrades as a fleet: all new workers up, then all old ones stopped", () => {
    const simulation = served(2, { upgradeMode: "fleet" });
    simulation.send({ type: "upgrade" });
    expect(simulation.taken()).toEqual(["spawn 3", "spawn 4"]);
    simulation.acknowledge(3);
    expect(simulation.taken()).toEqual([]);
    simulation.acknowledge(4);
    expect(simulation.taken()).toEqual(["stop 1", "stop 2", "upgraded"]);
  });

  test.each(["smooth", "fleet"] as const)("gives a new generation up that dies or hangs before it is up: %s", (upgradeMode) => {
    for (const end of ["exit", "hang"] as const) {
      const simulation = served(2, { upgradeMode });
      simulation.send({ type: "upgrade" });
      if (end === "exit") simulation.exit(3);
      else simulation.pass(60_000);
      expect(simulation.taken()).toContain("abandoned 3");
      simulation.run();
      expect(simulation.print()).toBe("1:0:1:up 2:1:1:up");
      expect(simulation.fleet).toMatchObject({ generation: 1, upgrade: undefined });
      // And can be tried again.
      simulation.send({ type: "upgrade" });
      simulation.run();
      expect(simulation.fleet).toMatchObject({ generation: 3, upgrade: undefined });
    }
  });

  test("an upgrade during an upgrade begins anew", () => {
    const simulation = served(2);
    simulation.send({ type: "upgrade" });
    simulation.acknowledge(3);
    simulation.taken();
    simulation.send({ type: "upgrade" });
    expect(simulation.taken()).toEqual(["stop 4", "spawn 5"]);
    simulation.run();
    expect(simulation.fleet.workers.map(({ generation }) => generation)).toEqual([3, 3]);
  });

  test("retires a worker once another one is up in its place", () => {
    const simulation = served(2);
    simulation.hear(1, 0, 1e9);
    expect(simulation.taken()).toEqual(["retiring 1", "spawn 3"]);
    simulation.acknowledge(3);
    expect(simulation.taken()).toEqual(["stop 1"]);
    simulation.run();
    expect(simulation.print()).toBe("2:1:1:up 3:2:1:up");
  });

  test("a successor gets the slot of its predecessor, in upgrades too", () => {
    const simulation = served(3);
    const slotOf = (id: number): number | undefined => simulation.fleet.workers.find((worker) => worker.id === id)?.slot;
    simulation.exit(2);
    expect(slotOf(4)).toBe(1);
    simulation.run();
    simulation.send({ type: "upgrade" });
    expect(slotOf(5)).toBe(0);
    // Whoever is missing is started at once, with the code that is wanted now.
    simulation.exit(3);
    expect(slotOf(6)).toBe(2);
    simulation.taken();
    simulation.acknowledge(5);
    // Worker 1 serves on while there are too few.
    expect(simulation.taken()).toEqual([]);
    simulation.acknowledge(6);
    expect(simulation.taken()).toEqual(["stop 1", "spawn 7"]);
    expect(slotOf(7)).toBe(1);
  });

  test("a worker of a generation that was given up serves on, and is replaced when it retires", () => {
    const simulation = served(2);
    simulation.send({ type: "upgrade" });
    simulation.acknowledge(3);
    simulation.exit(4);
    simulation.run();
    expect(simulation.print()).toBe("2:1:1:up 3:2:2:up");
    simulation.taken();
    simulation.hear(3, 0, 1e9);
    expect(simulation.taken()).toEqual(["retiring 3", "spawn 5"]);
    simulation.run();
    expect(simulation.print()).toBe("2:1:1:up 5:0:1:up");
  });

  test("grows and shrinks", () => {
    const simulation = served(2);
    simulation.send({ type: "resize", target: 4 });
    simulation.run();
    expect(simulation.print()).toBe("1:0:1:up 2:1:1:up 3:2:1:up 4:3:1:up");
    simulation.taken();
    simulation.send({ type: "resize", target: 1 });
    expect(simulation.taken()).toEqual(["stop 4", "stop 3", "stop 2"]);
  });

  test("kills what does not stop in time", () => {
    const simulation = served(1);
    simulation.send({ type: "stop", how: "gracefully" });
    simulation.pass(19_999);
    expect(simulation.taken()).toEqual(["stop 1"]);
    simulation.pass(1);
    // It is asked for its stack first.
    expect(simulation.actions.map(({ type }) => type)).toEqual(["tell", "ask-stack"]);
    expect(simulation.taken()).toEqual([]);
    simulation.pass(3000);
    expect(simulation.taken()).toEqual(["kill 1"]);
    simulation.exit(1);
    expect(simulation.taken()).toEqual(["ended"]);
  });
});

describe("requests", () => {
  test("of an upgrade are answered when it is over, another one has begun, or the master stops", () => {
    const simulation = served(1);
    simulation.send({ type: "upgrade", request: 1 });
    expect(simulation.rest()).toEqual([]);
    simulation.send({ type: "upgrade", request: 2 });
    expect(simulation.rest()).toEqual(["answer 1 another-upgrade false"]);
    simulation.run();
    expect(simulation.rest()).toEqual(["answer 2 upgraded true"]);
    simulation.send({ type: "upgrade", request: 3 });
    simulation.send({ type: "stop", how: "gracefully", request: 4 });
    expect(simulation.rest()).toEqual(["answer 3 stopping false", "answer 4 stopping true"]);
    simulation.send({ type: "upgrade", request: 5 });
    simulation.send({ type: "resize", target: 3, request: 6 });
    expect(simulation.rest()).toEqual(["answer 5 stopping false", "answer 6 stopping false"]);
  });

  test("to stop may be repeated; to end the drain, or to cut, is passed on once", () => {
    const simulation = served(2);
    for (let times = 0; times < 3; times++) simulation.send({ type: "stop", how: "gracefully" });
    expect(simulation.taken()).toEqual(["stop 1", "stop 2"]);
    for (let times = 0; times < 2; times++) simulation.send({ type: "stop", how: "drain" });
    expect(simulation.rest()).toEqual(["hurry drain 1", "hurry drain 2"]);
    for (let times = 0; times < 2; times++) simulation.send({ type: "stop", how: "cut" });
    expect(simulation.rest()).toEqual(["hurry cut 1", "hurry cut 2"]);
    simulation.pass(2000);
    expect(simulation.taken()).toEqual(["kill 1", "kill 2"]);
  });

  test("an upgrade before anybody has served is the first generation, and answered when that fails", () => {
    const simulation = new Simulation(1);
    simulation.send({ type: "upgrade", request: 1 });
    simulation.exit(2);
    expect(simulation.rest()).toEqual(["answer 1 never-served false"]);
  });

  test("an upgrade whose workers come up and die is given up", () => {
    const simulation = served(2);
    simulation.live(11_000);
    simulation.send({ type: "upgrade", request: 1 });
    for (const id of [3, 5, 6]) {
      simulation.acknowledge(id);
      simulation.exit(id);
      simulation.pass(1000);
    }
    expect(simulation.rest()).toContain("answer 1 abandoned false");
  });
});

describe("limits", () => {
  const limited = (limits: Partial<FleetOptions["limits"]>): Simulation => served(2, { limits: { ...options.limits, ...limits } });

  test("replace one worker at a time", () => {
    const simulation = limited({ maxRequests: 10 });
    simulation.hear(1, 0, 10);
    simulation.hear(2, 0, 10);
    expect(simulation.taken()).toEqual(["retiring 1", "spawn 3"]);
    simulation.acknowledge(3);
    expect(simulation.taken()).toEqual(["stop 1"]);
    simulation.hear(3);
    expect(simulation.taken()).toEqual(["retiring 2", "spawn 4"]);
  });

  test("of age come with time alone", () => {
    const simulation = limited({ maxAgeMs: 60_000 });
    expect(simulation.fleet.tickAt).toBe(3500);
    simulation.live(60_000);
    expect(simulation.taken()).toEqual(["retiring 1", "spawn 3"]);
  });

  test("of memory below what a fresh worker needs are told, and passed over until they change", () => {
    const simulation = limited({ maxMemoryBytes: 100 });
    for (const id of [1, 2, 3]) {
      simulation.hear(id, 200);
      simulation.run();
    }
    expect(simulation.taken().filter((each) => each.startsWith("retiring") || each.startsWith("max"))).toEqual([
      "retiring 1",
      "retiring 2",
      "max-memory-too-low 3",
    ]);
    for (const { id } of simulation.fleet.workers) simulation.hear(id, 300);
    expect(simulation.taken()).toEqual([]);
    simulation.send({ type: "configured", options: { ...options, limits: { ...options.limits, maxMemoryBytes: 250 } } });
    expect(simulation.taken()).toEqual(["retiring 3", "spawn 5"]);
  });
});

describe("silence", () => {
  test("others stand in for a worker that is not heard of, and leave when it is", () => {
    const simulation = served(3);
    simulation.rest();
    simulation.now += 2400;
    simulation.hear(1);
    simulation.hear(2);
    simulation.pass(100);
    expect(simulation.rest()).toEqual(["lend 2 1", "lend 2 2"]);
    simulation.pass(500);
    simulation.hear(3);
    expect(simulation.rest()).toEqual(["take-back 2 1", "take-back 2 2"]);
  });

  test("of a master that was suspended itself is nobody's fault", () => {
    const simulation = served(2, { workerTimeoutMs: 5000 });
    simulation.live(3000);
    simulation.taken();
    simulation.pass(60_000);
    expect(simulation.actions).toEqual([]);
    expect(simulation.fleet.workers.every(({ isSilent }) => !isSilent)).toBe(true);
  });

  test("for too long replaces a worker, and kills it; one that is heard of again is told to stop", () => {
    for (const wakes of [false, true]) {
      const simulation = served(1, { workerTimeoutMs: 5000 });
      simulation.pass(5000);
      expect(simulation.taken()).toEqual(["blocked 1", "spawn 2"]);
      if (wakes) simulation.hear(1);
      simulation.acknowledge(2);
      simulation.pass(3000);
      expect(simulation.taken()).toEqual([wakes ? "stop 1" : "kill 1"]);
    }
  });
});

/** Each was found by the simulation. */
describe("what the simulation found", () => {
  test("a worker that stands still, and has had the time for its stack when it is to stop, is killed at once", () => {
    const simulation = served(1, { workerTimeoutMs: 5000 });
    simulation.pass(5000);
    simulation.pass(4000);
    simulation.taken();
    simulation.acknowledge(2);
    expect(simulation.taken()).toEqual(["kill 1"]);
    // No tick is asked for at the instant that it is.
    expect(simulation.fleet.tickAt).toBeGreaterThan(simulation.now);
  });

  test("a set of sockets whose worker could not be started is lent to the others", () => {
    const simulation = served(1);
    simulation.rest();
    simulation.send({ type: "resize", target: 2 });
    // The sockets are there, and the process is not.
    simulation.exit(2);
    expect(simulation.rest()).toContain("lend 1 1");
  });

  test("an age that is reached by the sum of two fractions is reached by their difference", () => {
    const maxAgeMs = 7654.321;
    const simulation = new Simulation(1, { limits: { ...options.limits, maxAgeMs } });
    for (let times = 0; times < 200; times++) {
      simulation.now += 0.1 + times / 7;
      simulation.run();
      simulation.pass((simulation.fleet.tickAt ?? 0) - simulation.now);
      expect(simulation.fleet.tickAt).toBeGreaterThan(simulation.now);
    }
  });

  test("a worker that reached a limit leaves, or its successor that stands still by then, once as many are up as should be", () => {
    const fleet = new Simulation(2, { workerTimeoutMs: 10_000, limits: { ...options.limits, maxRequests: 100 } });
    fleet.run();
    // Both slots' workers are up; the other slot's dies and can't be started again before the successor is up and stands still.
    fleet.hear(1, 0, 100);
    fleet.exit(2);
    const [successor, third] = fleet.fleet.workers.filter(({ state }) => state === "starting").map(({ id, slot }) => ({ id, slot }));
    expect([successor?.slot, third?.slot].sort((a = 0, b = 0) => a - b)).toEqual([0, 1]);
    const [ofFirst, ofOther] = successor?.slot === 0 ? [successor, third] : [third, successor];
    fleet.acknowledge(ofFirst?.id ?? 0);
    for (let second = 0; second < 11; second++) {
      fleet.now += 1000;
      fleet.hear(1, 0, 100);
    }
    expect(fleet.fleet.workers.find(({ id }) => id === ofFirst?.id)).toMatchObject({ state: "up", retires: true });
    fleet.taken();
    fleet.acknowledge(ofOther?.id ?? 0);
    expect(fleet.taken()).toEqual([]);
    // The one that stands still is killed when its stack is written.
    expect(fleet.fleet.workers.find(({ id }) => id === ofFirst?.id)).toMatchObject({ state: "stopping" });
    expect(fleet.fleet.workers.find(({ id }) => id === 1)).toMatchObject({ state: "up" });
  });

  test("upgrades as a fleet, one begun before the other is over, pile nothing up", () => {
    const simulation = served(3, { upgradeMode: "fleet" });
    for (let times = 0; times < 5; times++) {
      simulation.send({ type: "upgrade" });
      const starting = simulation.fleet.workers.filter(({ state }) => state === "starting");
      for (const { id } of starting.slice(0, 2)) simulation.acknowledge(id);
    }
    expect(simulation.fleet.workers.filter(({ state }) => state !== "stopping").length).toBeLessThanOrEqual(6);
    simulation.run();
    expect(simulation.fleet.workers.map(({ generation }) => generation)).toEqual([6, 6, 6]);
  });
});

describe("whatever happens", () => {
  const event = fc.oneof(
    { weight: 6, arbitrary: fc.record({ type: fc.constant("acknowledge" as const), which: fc.nat(9) }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant("exit" as const), which: fc.nat(9) }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant("pass" as const), ms: fc.constantFrom(1, 250, 1000, 20_000, 60_000) }) },
    { weight: 2, arbitrary: fc.constant({ type: "upgrade" as const }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("resize" as const), target: fc.integer({ min: 1, max: 5 }) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("retire" as const), which: fc.nat(9) }) },
  );
  const upCount = ({ workers }: Fleet): number => workers.filter(({ state }) => state === "up").length;

  test("no stop leaves fewer workers up than there should be; slots are distinct; in the end all is as it should be", () => {
    fc.assert(
      fc.property(
        fc.constantFrom<UpgradeMode>("smooth", "fleet"),
        fc.integer({ min: 1, max: 4 }),
        fc.array(event, { maxLength: 60 }),
        (upgradeMode, target, events) => {
          const simulation = served(target, { upgradeMode });
          for (const each of events) {
            const { workers } = simulation.fleet;
            const chosen = "which" in each ? workers[each.which % Math.max(1, workers.length)] : undefined;
            const upBefore = upCount(simulation.fleet);
            if (each.type === "acknowledge" && chosen?.state === "starting") simulation.acknowledge(chosen.id);
            else if (each.type === "exit" && chosen !== undefined) simulation.exit(chosen.id);
            else if (each.type === "pass") simulation.pass(each.ms);
            else if (each.type === "upgrade") simulation.send({ type: "upgrade" });
            else if (each.type === "resize") simulation.send({ type: "resize", target: each.target });
            else if (each.type === "retire" && chosen !== undefined) simulation.hear(chosen.id, 0, 1e9);
            const { fleet } = simulation;
            const wasUp = each.type === "exit" && chosen?.state === "up" ? 1 : 0;
            expect(upCount(fleet)).toBeGreaterThanOrEqual(Math.min(fleet.target, upBefore - wasUp));
            expect(new Set(fleet.workers.map(({ index }) => index)).size).toBe(fleet.workers.length);
            const starting = fleet.workers.filter(({ state }) => state === "starting").map(({ slot }) => slot);
            expect(new Set(starting).size).toBe(starting.length);
            const alive = fleet.workers.filter(({ state }) => state !== "stopping").length;
            expect(alive).toBeLessThanOrEqual(Math.max(10, fleet.target * 2 + 5));
          }
          for (let round = 0; round < 5; round++) {
            simulation.run();
            simulation.pass(60_000);
          }
          simulation.run();
          const { fleet } = simulation;
          expect(upCount(fleet)).toBe(fleet.target);
          expect(new Set(fleet.workers.map(({ slot }) => slot))).toEqual(new Set(Array.from({ length: fleet.target }, (_, slot) => slot)));
          expect(fleet.workers).toHaveLength(fleet.target);
          expect(fleet.upgrade).toBe(undefined);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("an ACK said twice, and what is said of workers that are not there, means nothing", () => {
    const simulation = served(1);
    const { fleet } = simulation;
    simulation.acknowledge(1);
    simulation.acknowledge(77);
    simulation.hear(77);
    simulation.exit(77);
    simulation.send({ type: "leaving", id: 77, reason: "" });
    expect(simulation.fleet).toEqual(fleet);
  });

  test("a stop ends all, and starts nothing", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.boolean(), (target, isUpgrading) => {
        const simulation = served(target);
        if (isUpgrading) simulation.send({ type: "upgrade" });
        simulation.taken();
        simulation.send({ type: "stop", how: "gracefully" });
        simulation.run();
        const taken = simulation.taken();
        expect(taken.filter((action) => action.startsWith("spawn"))).toEqual([]);
        expect(taken.at(-1)).toBe("ended");
        expect(simulation.print()).toBe("");
      }),
    );
  });
});

describe("a worker that steps aside", () => {
  test("is stood in for, is not judged for its silence, and gets back what is its own", () => {
    const simulation = served(3, { workerTimeoutMs: 2000 });
    simulation.rest();
    simulation.send({ type: "rest", id: 1, ms: 100_000 });
    expect(simulation.rest()).toEqual(["rest 1", "lend 0 2", "lend 0 3"]);
    // A snapshot takes its time: the others report, and it says nothing.
    for (let passed = 0; passed < 30_000; passed += 1000) {
      simulation.now += 1000;
      for (const id of [2, 3]) simulation.hear(id);
      simulation.send({ type: "tick" });
    }
    expect(simulation.actions).toEqual([]);
    simulation.send({ type: "return", id: 1 });
    expect(simulation.rest()).toEqual(["return 1", "take-back 0 2", "take-back 0 3"]);
    // From then on it is judged as any other.
    simulation.pass(1000);
    expect(simulation.taken()).toEqual([]);
    simulation.pass(2000);
    expect(simulation.taken()).toContain("blocked 1");
  });

  test("leaves what it accepted on for others, and two may do so at once; the last one does not", () => {
    const simulation = served(3);
    simulation.rest();
    simulation.send({ type: "rest", id: 1, ms: 1000 });
    simulation.rest();
    simulation.send({ type: "rest", id: 2, ms: 1000 });
    expect(simulation.rest()).toEqual(["take-back 0 2", "rest 2", "lend 1 3"]);
    simulation.send({ type: "rest", id: 3, ms: 1000 });
    expect([simulation.rest(), simulation.fleet.workers.map(({ rests }) => rests)]).toEqual([[], [true, true, false]]);
  });

  test("is not asked twice, nor where it does not serve, and its return means nothing where it stops or has gone", () => {
    const simulation = served(2);
    simulation.rest();
    simulation.send({ type: "return", id: 1 });
    simulation.send({ type: "rest", id: 9, ms: 1000 });
    simulation.send({ type: "return", id: 9 });
    expect(simulation.rest()).toEqual([]);
    simulation.send({ type: "rest", id: 1, ms: 1000 });
    simulation.rest();
    simulation.send({ type: "rest", id: 1, ms: 1000 });
    expect(simulation.rest()).toEqual([]);
    simulation.send({ type: "stop", how: "gracefully" });
    simulation.rest();
    simulation.send({ type: "return", id: 1 });
    expect(simulation.rest()).toEqual([]);
    expect(simulation.fleet.workers[0]?.state).toBe("stopping");
  });

  test("is not replaced for its age before it is back", () => {
    const simulation = served(2, { limits: { ...options.limits, maxAgeMs: 10_000 } });
    simulation.send({ type: "rest", id: 1, ms: 100_000 });
    simulation.send({ type: "rest", id: 2, ms: 100_000 });
    simulation.live(12_000);
    expect(simulation.taken()).toEqual(["retiring 2", "spawn 3"]);
  });
});
