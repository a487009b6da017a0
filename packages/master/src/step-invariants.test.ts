import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Fleet, UpgradeMode } from "./fleet.ts";
import { options, served, SteppedFleet } from "./simulation/stepped-fleet.ts";

/** Each was found by the stepped. */
describe("what the simulation found", () => {
  test("a worker that stands still, and has had the time for its stack when it is to stop, is killed at once", () => {
    const stepped = served(1, { workerTimeoutMs: 5000 });
    stepped.pass(5000);
    stepped.pass(4000);
    stepped.taken();
    stepped.acknowledge(2);
    expect(stepped.taken()).toEqual(["kill 1"]);
    // No tick is asked for at the instant that it is.
    expect(stepped.fleet.tickAt).toBeGreaterThan(stepped.now);
  });

  test("a set of sockets whose worker could not be started is lent to the others", () => {
    const stepped = served(1);
    stepped.rest();
    stepped.send({ type: "resize", target: 2 });
    // The sockets are there, and the process is not.
    stepped.exit(2);
    expect(stepped.rest()).toContain("lend 1 1");
  });

  test("an age that is reached by the sum of two fractions is reached by their difference", () => {
    const maxAgeMs = 7654.321;
    const stepped = new SteppedFleet(1, { limits: { ...options.limits, maxAgeMs } });
    for (let times = 0; times < 200; times++) {
      stepped.now += 0.1 + times / 7;
      stepped.run();
      stepped.pass((stepped.fleet.tickAt ?? 0) - stepped.now);
      expect(stepped.fleet.tickAt).toBeGreaterThan(stepped.now);
    }
  });

  test("a worker that reached a limit leaves, or its successor that stands still by then, once as many are up as should be", () => {
    const fleet = new SteppedFleet(2, { workerTimeoutMs: 10_000, limits: { ...options.limits, maxRequests: 100 } });
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
    const stepped = served(3, { upgradeMode: "fleet" });
    for (let times = 0; times < 5; times++) {
      stepped.send({ type: "upgrade" });
      const starting = stepped.fleet.workers.filter(({ state }) => state === "starting");
      for (const { id } of starting.slice(0, 2)) stepped.acknowledge(id);
    }
    expect(stepped.fleet.workers.filter(({ state }) => state !== "stopping").length).toBeLessThanOrEqual(6);
    stepped.run();
    expect(stepped.fleet.workers.map(({ generation }) => generation)).toEqual([6, 6, 6]);
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
          const stepped = served(target, { upgradeMode });
          for (const each of events) {
            const { workers } = stepped.fleet;
            const chosen = "which" in each ? workers[each.which % Math.max(1, workers.length)] : undefined;
            const upBefore = upCount(stepped.fleet);
            if (each.type === "acknowledge" && chosen?.state === "starting") stepped.acknowledge(chosen.id);
            else if (each.type === "exit" && chosen !== undefined) stepped.exit(chosen.id);
            else if (each.type === "pass") stepped.pass(each.ms);
            else if (each.type === "upgrade") stepped.send({ type: "upgrade" });
            else if (each.type === "resize") stepped.send({ type: "resize", target: each.target });
            else if (each.type === "retire" && chosen !== undefined) stepped.hear(chosen.id, 0, 1e9);
            const { fleet } = stepped;
            const wasUp = each.type === "exit" && chosen?.state === "up" ? 1 : 0;
            expect(upCount(fleet)).toBeGreaterThanOrEqual(Math.min(fleet.target, upBefore - wasUp));
            expect(new Set(fleet.workers.map(({ index }) => index)).size).toBe(fleet.workers.length);
            const starting = fleet.workers.filter(({ state }) => state === "starting").map(({ slot }) => slot);
            expect(new Set(starting).size).toBe(starting.length);
            const alive = fleet.workers.filter(({ state }) => state !== "stopping").length;
            expect(alive).toBeLessThanOrEqual(Math.max(10, fleet.target * 2 + 5));
          }
          for (let round = 0; round < 5; round++) {
            stepped.run();
            stepped.pass(60_000);
          }
          stepped.run();
          const { fleet } = stepped;
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
    const stepped = served(1);
    const { fleet } = stepped;
    stepped.acknowledge(1);
    stepped.acknowledge(77);
    stepped.hear(77);
    stepped.exit(77);
    stepped.send({ type: "leaving", id: 77, reason: "" });
    expect(stepped.fleet).toEqual(fleet);
  });

  test("a stop ends all, and starts nothing", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.boolean(), (target, isUpgrading) => {
        const stepped = served(target);
        if (isUpgrading) stepped.send({ type: "upgrade" });
        stepped.taken();
        stepped.send({ type: "stop", how: "gracefully" });
        stepped.run();
        const taken = stepped.taken();
        expect(taken.filter((action) => action.startsWith("spawn"))).toEqual([]);
        expect(taken.at(-1)).toBe("ended");
        expect(stepped.print()).toBe("");
      }),
    );
  });
});
