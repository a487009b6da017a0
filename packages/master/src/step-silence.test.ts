import { describe, expect, test } from "vitest";
import { options, served } from "./simulation/stepped-fleet.ts";

describe("silence", () => {
  test("others stand in for a worker that is not heard of, and leave when it is", () => {
    const stepped = served(3);
    stepped.rest();
    stepped.now += 2400;
    stepped.hear(1);
    stepped.hear(2);
    stepped.pass(100);
    expect(stepped.rest()).toEqual(["lend 2 1", "lend 2 2"]);
    stepped.pass(500);
    stepped.hear(3);
    expect(stepped.rest()).toEqual(["take-back 2 1", "take-back 2 2"]);
  });

  test("of a master that was suspended itself is nobody's fault", () => {
    const stepped = served(2, { workerTimeoutMs: 5000 });
    stepped.live(3000);
    stepped.taken();
    stepped.pass(60_000);
    expect(stepped.actions).toEqual([]);
    expect(stepped.fleet.workers.every(({ isSilent }) => !isSilent)).toBe(true);
  });

  test("for too long replaces a worker, and kills it; one that is heard of again is told to stop", () => {
    for (const wakes of [false, true]) {
      const stepped = served(1, { workerTimeoutMs: 5000 });
      stepped.pass(5000);
      expect(stepped.taken()).toEqual(["blocked 1", "spawn 2"]);
      if (wakes) stepped.hear(1);
      stepped.acknowledge(2);
      stepped.pass(3000);
      expect(stepped.taken()).toEqual([wakes ? "stop 1" : "kill 1"]);
    }
  });
});

describe("a worker that steps aside", () => {
  test("is stood in for, is not judged for its silence, and gets back what is its own", () => {
    const stepped = served(3, { workerTimeoutMs: 2000 });
    stepped.rest();
    stepped.send({ type: "rest", id: 1, ms: 100_000 });
    expect(stepped.rest()).toEqual(["rest 1", "lend 0 2", "lend 0 3"]);
    // A snapshot takes its time: the others report, and it says nothing.
    for (let passed = 0; passed < 30_000; passed += 1000) {
      stepped.now += 1000;
      for (const id of [2, 3]) stepped.hear(id);
      stepped.send({ type: "tick" });
    }
    expect(stepped.actions).toEqual([]);
    stepped.send({ type: "return", id: 1 });
    expect(stepped.rest()).toEqual(["return 1", "take-back 0 2", "take-back 0 3"]);
    // From then on it is judged as any other.
    stepped.pass(1000);
    expect(stepped.taken()).toEqual([]);
    stepped.pass(2000);
    expect(stepped.taken()).toContain("blocked 1");
  });

  test("leaves what it accepted on for others, and two may do so at once; the last one does not", () => {
    const stepped = served(3);
    stepped.rest();
    stepped.send({ type: "rest", id: 1, ms: 1000 });
    stepped.rest();
    stepped.send({ type: "rest", id: 2, ms: 1000 });
    expect(stepped.rest()).toEqual(["take-back 0 2", "rest 2", "lend 1 3"]);
    stepped.send({ type: "rest", id: 3, ms: 1000 });
    expect([stepped.rest(), stepped.fleet.workers.map(({ rests }) => rests)]).toEqual([[], [true, true, false]]);
  });

  test("is not asked twice, nor where it does not serve, and its return means nothing where it stops or has gone", () => {
    const stepped = served(2);
    stepped.rest();
    stepped.send({ type: "return", id: 1 });
    stepped.send({ type: "rest", id: 9, ms: 1000 });
    stepped.send({ type: "return", id: 9 });
    expect(stepped.rest()).toEqual([]);
    stepped.send({ type: "rest", id: 1, ms: 1000 });
    stepped.rest();
    stepped.send({ type: "rest", id: 1, ms: 1000 });
    expect(stepped.rest()).toEqual([]);
    stepped.send({ type: "stop", how: "gracefully" });
    stepped.rest();
    stepped.send({ type: "return", id: 1 });
    expect(stepped.rest()).toEqual([]);
    expect(stepped.fleet.workers[0]?.state).toBe("stopping");
  });

  test("is not replaced for its age before it is back", () => {
    const stepped = served(2, { limits: { ...options.limits, maxAgeMs: 10_000 } });
    stepped.send({ type: "rest", id: 1, ms: 100_000 });
    stepped.send({ type: "rest", id: 2, ms: 100_000 });
    stepped.live(12_000);
    expect(stepped.taken()).toEqual(["retiring 2", "spawn 3"]);
  });
});
