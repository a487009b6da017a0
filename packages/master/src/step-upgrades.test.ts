import { describe, expect, test } from "vitest";
import { served } from "./simulation/stepped-fleet.ts";

describe("upgrades", () => {
  test("go smoothly: one new worker up, one old one stopped, in turn", () => {
    const stepped = served(2);
    stepped.send({ type: "upgrade" });
    expect(stepped.taken()).toEqual(["spawn 3"]);
    stepped.acknowledge(3);
    expect(stepped.taken()).toEqual(["stop 1", "spawn 4"]);
    stepped.acknowledge(4);
    expect(stepped.taken()).toEqual(["stop 2", "upgraded"]);
    stepped.run();
    expect(stepped.print()).toBe("3:2:2:up 4:3:2:up");
    expect(stepped.fleet).toMatchObject({ generation: 2, upgrade: undefined });
  });

  test("of a fleet as a whole: all new workers up, then all old ones stopped", () => {
    const stepped = served(2, { upgradeMode: "fleet" });
    stepped.send({ type: "upgrade" });
    expect(stepped.taken()).toEqual(["spawn 3", "spawn 4"]);
    stepped.acknowledge(3);
    expect(stepped.taken()).toEqual([]);
    stepped.acknowledge(4);
    expect(stepped.taken()).toEqual(["stop 1", "stop 2", "upgraded"]);
  });

  test.each(["smooth", "fleet"] as const)("give a new generation up that dies or hangs before it is up: %s", (upgradeMode) => {
    for (const end of ["exit", "hang"] as const) {
      const stepped = served(2, { upgradeMode });
      stepped.send({ type: "upgrade" });
      if (end === "exit") stepped.exit(3);
      else stepped.pass(60_000);
      expect(stepped.taken()).toContain("abandoned 3");
      stepped.run();
      expect(stepped.print()).toBe("1:0:1:up 2:1:1:up");
      expect(stepped.fleet).toMatchObject({ generation: 1, upgrade: undefined });
      // And can be tried again.
      stepped.send({ type: "upgrade" });
      stepped.run();
      expect(stepped.fleet).toMatchObject({ generation: 3, upgrade: undefined });
    }
  });

  test("begin anew where one is asked for during another", () => {
    const stepped = served(2);
    stepped.send({ type: "upgrade" });
    stepped.acknowledge(3);
    stepped.taken();
    stepped.send({ type: "upgrade" });
    expect(stepped.taken()).toEqual(["stop 4", "spawn 5"]);
    stepped.run();
    expect(stepped.fleet.workers.map(({ generation }) => generation)).toEqual([3, 3]);
  });

  test("a worker of a generation that was given up serves on, and is replaced when it retires", () => {
    const stepped = served(2);
    stepped.send({ type: "upgrade" });
    stepped.acknowledge(3);
    stepped.exit(4);
    stepped.run();
    expect(stepped.print()).toBe("2:1:1:up 3:2:2:up");
    stepped.taken();
    stepped.hear(3, 0, 1e9);
    expect(stepped.taken()).toEqual(["retiring 3", "spawn 5"]);
    stepped.run();
    expect(stepped.print()).toBe("2:1:1:up 5:0:1:up");
  });
});
