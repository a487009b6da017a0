import { describe, expect, test } from "vitest";
import type { FleetOptions } from "./fleet.ts";
import { options, served, SteppedFleet } from "./simulation/stepped-fleet.ts";

describe("the fleet", () => {
  test("starts its workers at once", () => {
    const stepped = new SteppedFleet(3);
    expect(stepped.taken()).toEqual(["spawn 1", "spawn 2", "spawn 3"]);
    stepped.run();
    expect(stepped.print()).toBe("1:0:1:up 2:1:1:up 3:2:1:up");
  });

  test("replaces a dead worker at once, in its slot", () => {
    const stepped = served(3);
    stepped.exit(2);
    expect(stepped.taken()).toEqual(["spawn 4"]);
    expect(stepped.print()).toBe("1:0:1:up 3:2:1:up 4:1:1:starting");
  });

  test.each(["before they are up", "soon after it"])("waits for longer and longer while workers die %s", (when) => {
    const stepped = served(1);
    stepped.live(11_000);
    stepped.exit(1);
    const delays: number[] = [];
    for (let id = 2; id < 13; id++) {
      if (when === "soon after it") {
        stepped.acknowledge(id);
        stepped.live(9000);
      }
      stepped.exit(id);
      const delayMs = Math.max(0, stepped.fleet.notBefore - stepped.now);
      delays.push(delayMs);
      if (delayMs > 0) expect(stepped.fleet.tickAt).toBe(stepped.now + delayMs);
      stepped.pass(delayMs);
      expect(stepped.taken().filter((action) => action.startsWith("spawn"))).toHaveLength(id === 2 ? 2 : 1);
    }
    expect(delays).toEqual([0, 250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    stepped.run();
    stepped.live(11_000);
    expect(stepped.fleet.youngDeaths).toBe(0);
  });

  test("workers that die together are one round: the others do not wait longer for it", () => {
    const stepped = served(4);
    stepped.live(1000);
    for (const id of [1, 2, 3, 4]) stepped.exit(id);
    expect(stepped.taken().filter((action) => action.startsWith("spawn"))).toHaveLength(4);
    expect(stepped.fleet.youngDeaths).toBe(1);
  });

  test("a worker that leaves by itself is replaced when it begins to, not when it has gone", () => {
    const stepped = served(2);
    stepped.live(11_000);
    stepped.taken();
    stepped.send({ type: "leaving", id: 1, reason: "SIGTERM" });
    expect(stepped.taken()).toEqual(["spawn 3"]);
    expect(stepped.print()).toBe("1:0:1:stopping 2:1:1:up 3:2:1:starting");
    // It has its time to stop, and no longer.
    stepped.pass(20_000);
    stepped.pass(3000);
    expect(stepped.taken()).toContain("kill 1");
  });

  test("gives up when none of the first generation comes up, and not before all have tried", () => {
    const stepped = new SteppedFleet(3);
    stepped.exit(1);
    stepped.exit(2);
    expect(stepped.taken()).toEqual(["spawn 1", "spawn 2", "spawn 3"]);
    stepped.exit(3);
    expect(stepped.taken()).toEqual(["never-served", "ended"]);
    expect(stepped.fleet).toMatchObject({ stopping: "never-served", exitCodes: [1, 1, 1] });
  });

  test("those of the first generation that failed are tried again when one has come up", () => {
    const stepped = new SteppedFleet(2);
    stepped.exit(1);
    stepped.taken();
    stepped.acknowledge(2);
    expect(stepped.taken()).toEqual(["spawn 3"]);
  });

  test("retires a worker once another one is up in its place", () => {
    const stepped = served(2);
    stepped.hear(1, 0, 1e9);
    expect(stepped.taken()).toEqual(["retiring 1", "spawn 3"]);
    stepped.acknowledge(3);
    expect(stepped.taken()).toEqual(["stop 1"]);
    stepped.run();
    expect(stepped.print()).toBe("2:1:1:up 3:2:1:up");
  });

  test("a successor gets the slot of its predecessor, in upgrades too", () => {
    const stepped = served(3);
    const slotOf = (id: number): number | undefined => stepped.fleet.workers.find((worker) => worker.id === id)?.slot;
    stepped.exit(2);
    expect(slotOf(4)).toBe(1);
    stepped.run();
    stepped.send({ type: "upgrade" });
    expect(slotOf(5)).toBe(0);
    // Whoever is missing is started at once, with the code that is wanted now.
    stepped.exit(3);
    expect(slotOf(6)).toBe(2);
    stepped.taken();
    stepped.acknowledge(5);
    // Worker 1 serves on while there are too few.
    expect(stepped.taken()).toEqual([]);
    stepped.acknowledge(6);
    expect(stepped.taken()).toEqual(["stop 1", "spawn 7"]);
    expect(slotOf(7)).toBe(1);
  });

  test("grows and shrinks", () => {
    const stepped = served(2);
    stepped.send({ type: "resize", target: 4 });
    stepped.run();
    expect(stepped.print()).toBe("1:0:1:up 2:1:1:up 3:2:1:up 4:3:1:up");
    stepped.taken();
    stepped.send({ type: "resize", target: 1 });
    expect(stepped.taken()).toEqual(["stop 4", "stop 3", "stop 2"]);
  });

  test("kills what does not stop in time", () => {
    const stepped = served(1);
    stepped.send({ type: "stop", how: "gracefully" });
    stepped.pass(19_999);
    expect(stepped.taken()).toEqual(["stop 1"]);
    stepped.pass(1);
    // It is asked for its stack first.
    expect(stepped.actions.map(({ type }) => type)).toEqual(["tell", "ask-stack"]);
    expect(stepped.taken()).toEqual([]);
    stepped.pass(3000);
    expect(stepped.taken()).toEqual(["kill 1"]);
    stepped.exit(1);
    expect(stepped.taken()).toEqual(["ended"]);
  });
});

describe("requests", () => {
  test("of an upgrade are answered when it is over, another one has begun, or the master stops", () => {
    const stepped = served(1);
    stepped.send({ type: "upgrade", request: 1 });
    expect(stepped.rest()).toEqual([]);
    stepped.send({ type: "upgrade", request: 2 });
    expect(stepped.rest()).toEqual(["answer 1 another-upgrade false"]);
    stepped.run();
    expect(stepped.rest()).toEqual(["answer 2 upgraded true"]);
    stepped.send({ type: "upgrade", request: 3 });
    stepped.send({ type: "stop", how: "gracefully", request: 4 });
    expect(stepped.rest()).toEqual(["answer 3 stopping false", "answer 4 stopping true"]);
    stepped.send({ type: "upgrade", request: 5 });
    stepped.send({ type: "resize", target: 3, request: 6 });
    expect(stepped.rest()).toEqual(["answer 5 stopping false", "answer 6 stopping false"]);
  });

  test("to stop may be repeated; to end the drain, or to cut, is passed on once", () => {
    const stepped = served(2);
    for (let times = 0; times < 3; times++) stepped.send({ type: "stop", how: "gracefully" });
    expect(stepped.taken()).toEqual(["stop 1", "stop 2"]);
    for (let times = 0; times < 2; times++) stepped.send({ type: "stop", how: "drain" });
    expect(stepped.rest()).toEqual(["hurry drain 1", "hurry drain 2"]);
    for (let times = 0; times < 2; times++) stepped.send({ type: "stop", how: "cut" });
    expect(stepped.rest()).toEqual(["hurry cut 1", "hurry cut 2"]);
    stepped.pass(2000);
    expect(stepped.taken()).toEqual(["kill 1", "kill 2"]);
  });

  test("an upgrade before anybody has served is the first generation, and answered when that fails", () => {
    const stepped = new SteppedFleet(1);
    stepped.send({ type: "upgrade", request: 1 });
    stepped.exit(2);
    expect(stepped.rest()).toEqual(["answer 1 never-served false"]);
  });

  test("an upgrade whose workers come up and die is given up", () => {
    const stepped = served(2);
    stepped.live(11_000);
    stepped.send({ type: "upgrade", request: 1 });
    for (const id of [3, 5, 6]) {
      stepped.acknowledge(id);
      stepped.exit(id);
      stepped.pass(1000);
    }
    expect(stepped.rest()).toContain("answer 1 abandoned false");
  });
});

describe("limits", () => {
  const limited = (limits: Partial<FleetOptions["limits"]>): SteppedFleet => served(2, { limits: { ...options.limits, ...limits } });

  test("replace one worker at a time", () => {
    const stepped = limited({ maxRequests: 10 });
    stepped.hear(1, 0, 10);
    stepped.hear(2, 0, 10);
    expect(stepped.taken()).toEqual(["retiring 1", "spawn 3"]);
    stepped.acknowledge(3);
    expect(stepped.taken()).toEqual(["stop 1"]);
    stepped.hear(3);
    expect(stepped.taken()).toEqual(["retiring 2", "spawn 4"]);
  });

  test("of age come with time alone", () => {
    const stepped = limited({ maxAgeMs: 60_000 });
    expect(stepped.fleet.tickAt).toBe(3500);
    stepped.live(60_000);
    expect(stepped.taken()).toEqual(["retiring 1", "spawn 3"]);
  });

  test("of memory below what a fresh worker needs are told, and passed over until they change", () => {
    const stepped = limited({ maxMemoryBytes: 100 });
    for (const id of [1, 2, 3]) {
      stepped.hear(id, 200);
      stepped.run();
    }
    expect(stepped.taken().filter((each) => each.startsWith("retiring") || each.startsWith("max"))).toEqual([
      "retiring 1",
      "retiring 2",
      "max-memory-too-low 3",
    ]);
    for (const { id } of stepped.fleet.workers) stepped.hear(id, 300);
    expect(stepped.taken()).toEqual([]);
    stepped.send({ type: "configured", options: { ...options, limits: { ...options.limits, maxMemoryBytes: 250 } } });
    expect(stepped.taken()).toEqual(["retiring 3", "spawn 5"]);
  });
});
