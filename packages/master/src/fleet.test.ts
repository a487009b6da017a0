import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeFleet, nextTick, step, type Action, type Fleet, type FleetEvent, type FleetOptions, type UpgradeMode } from "./fleet.ts";

const options: FleetOptions = { upgradeMode: "smooth", startTimeoutMs: 60_000, killAfterMs: 20_000 };

/** A fleet with processes that behave as a test says. */
class Simulation {
  fleet: Fleet;
  now = 1000;
  readonly actions: Action[] = [];

  constructor(target: number, overrides: Partial<FleetOptions> = {}) {
    this.fleet = makeFleet(target, { ...options, ...overrides });
    this.send({ type: "tick" });
  }

  /** Processes get the pid 100 + id. */
  send(event: FleetEvent): readonly Action[] {
    const { fleet, actions } = step(this.fleet, event, this.now);
    this.fleet = fleet;
    this.actions.push(...actions);
    for (const action of actions) {
      if (action.type === "spawn") this.send({ type: "spawned", id: action.worker.id, pid: 100 + action.worker.id });
    }
    return actions;
  }

  acknowledge(id: number): void {
    this.send({ type: "acknowledged", pid: 100 + id });
  }

  exit(id: number): void {
    this.send({ type: "exited", id });
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
      .map(({ id, index, generation, state, isRetiring }) => `${id}:${index}:${generation}:${state}${isRetiring ? ":retiring" : ""}`)
      .join(" ");
  }

  taken(): string[] {
    return this.actions.splice(0).map((action) => ("worker" in action ? `${action.type} ${action.worker.id}` : action.type));
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

  test("waits for longer and longer while workers die before they are up", () => {
    const simulation = served(1);
    simulation.exit(1);
    const delays: number[] = [];
    for (let id = 2; id < 12; id++) {
      simulation.exit(id);
      const next = nextTick(simulation.fleet) as number;
      delays.push(next - simulation.now);
      expect(simulation.taken().filter((action) => action.startsWith("spawn"))).toHaveLength(id === 2 ? 1 : 1);
      simulation.pass(next - simulation.now);
    }
    expect(delays).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    simulation.run();
    expect(simulation.fleet.failures).toBe(0);
  });

  test("gives up when none of the first generation comes up", () => {
    const simulation = new Simulation(2);
    simulation.exit(1);
    simulation.exit(2);
    expect(simulation.taken()).toContain("never-served");
    simulation.run();
    expect(simulation.taken()).toContain("ended");
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
    expect(simulation.print()).toBe("3:2:2:up 4:0:2:up".replace("4:0", "4:3"));
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
    simulation.send({ type: "retire", id: 1 });
    expect(simulation.taken()).toEqual(["spawn 3"]);
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
    simulation.send({ type: "retire", id: 3 });
    expect(simulation.taken()).toEqual(["spawn 5"]);
    simulation.run();
    expect(simulation.print()).toBe("2:1:1:up 5:0:1:up");
  });

  test("grows and shrinks", () => {
    const simulation = served(2);
    simulation.send({ type: "resized", target: 4 });
    simulation.run();
    expect(simulation.print()).toBe("1:0:1:up 2:1:1:up 3:2:1:up 4:3:1:up");
    simulation.taken();
    simulation.send({ type: "resized", target: 1 });
    expect(simulation.taken()).toEqual(["stop 4", "stop 3", "stop 2"]);
  });

  test("kills what does not stop in time", () => {
    const simulation = served(1);
    simulation.send({ type: "stop" });
    simulation.pass(19_999);
    expect(simulation.taken()).toEqual(["stop 1"]);
    simulation.pass(1);
    expect(simulation.taken()).toEqual(["kill 1"]);
    simulation.exit(1);
    expect(simulation.taken()).toEqual(["ended"]);
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
            else if (each.type === "resize") simulation.send({ type: "resized", target: each.target });
            else if (each.type === "retire" && chosen !== undefined) simulation.send({ type: "retire", id: chosen.id });
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
      { numRuns: 1500 },
    );
  });

  test("a stop ends all, and starts nothing", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.boolean(), (target, isUpgrading) => {
        const simulation = served(target);
        if (isUpgrading) simulation.send({ type: "upgrade" });
        simulation.taken();
        simulation.send({ type: "stop" });
        simulation.run();
        const taken = simulation.taken();
        expect(taken.filter((action) => action.startsWith("spawn"))).toEqual([]);
        expect(taken.at(-1)).toBe("ended");
        expect(simulation.print()).toBe("");
      }),
    );
  });
});
