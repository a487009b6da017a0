import { spawnSync } from "node:child_process";
import { load, lost, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { get, serveFleet, up, type Fleet } from "./support/fleet.ts";

const node = process.env["TSSERVE_TEST_NODE"] ?? process.execPath;
const [major = 0, minor = 0] = spawnSync(node, ["-p", "process.versions.node"], { encoding: "utf8" }).stdout.split(".").map(Number);
/** Before, all workers share one socket, and whoever is first takes the connection. */
const hasSlots = process.platform === "linux" && (major > 22 || (major === 22 && minor >= 12));

/** Who answers, on so many new connections, one after the other. */
async function whoAnswers(fleet: Fleet, connections: number): Promise<Map<number, number>> {
  const answers = new Map<number, number>();
  for (let n = 0; n < connections; n++) {
    const { pid } = await get(fleet);
    answers.set(pid, (answers.get(pid) ?? 0) + 1);
  }
  return answers;
}

describe("slots of workers", () => {
  test.runIf(hasSlots)("each gets its share of new connections, as after an upgrade", async () => {
    await using fleet = await serveFleet({ workers: 4 });
    await up(fleet, 4);
    await fleet.settled(4);
    for (let generation = 1; generation <= 2; generation++) {
      const answers = await whoAnswers(fleet, 400);
      expect(answers.size).toBe(4);
      // A fair quarter is 100; half of that is six standard deviations away.
      expect(Math.min(...answers.values())).toBeGreaterThan(50);
      if (generation === 1) expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
      await fleet.settled(4);
    }
  });

  test("others stand in for one that can't be replaced, until it can", async () => {
    await using fleet = await serveFleet({ workers: 3 });
    await up(fleet, 3);
    const { workers } = await fleet.settled(3);
    const source = "export const makeApp = () => { throw new Error('not now'); };";
    const good = fleet.replaceApp(source);
    process.kill(workers[1]?.pid ?? 0, "SIGKILL");
    await fleet.log(/worker=1 gen=1 pid=\d+ was ended by SIGKILL/);
    const answers = await whoAnswers(fleet, 90);
    expect(answers.size).toBe(2);
    fleet.replaceApp(good);
    await fleet.settled(3);
    await until("all three to answer", async () => (await whoAnswers(fleet, 60)).size === 3);
  });

  test("others stand in for one that stands still", async () => {
    await using fleet = await serveFleet({ workers: 3 });
    await up(fleet, 3);
    const { workers } = await fleet.settled(3);
    await until("all to report", async () =>
      (await fleet.status()).workers.every(({ requests_total: total }) => typeof total === "number"),
    );
    const stopped = workers[2]?.pid ?? 0;
    process.kill(stopped, "SIGSTOP");
    try {
      const end = new AbortController();
      const running = load({
        port: fleet.port,
        clients: 24,
        keepAlive: false,
        expect: (body) => body.includes("greeting"),
        signal: end.signal,
      });
      // Whoever came to it before the others stood in waits some seconds at most, and only then.
      await new Promise((resolve) => setTimeout(resolve, 6000));
      end.abort();
      const result = await running;
      expect(result.ok).toBeGreaterThan(1000);
      expect([lost(result), result.failures]).toEqual([0, []]);
    } finally {
      process.kill(stopped, "SIGCONT");
    }
    await until("it to answer again", async () => (await whoAnswers(fleet, 60)).has(stopped));
  });

  test("growing and shrinking under load loses nothing", async () => {
    await using fleet = await serveFleet({ workers: 2, server: "drain_time = 200 milliseconds" });
    await up(fleet, 2);
    const end = new AbortController();
    const options = { port: fleet.port, clients: 8, expect: (body: string) => body.includes("greeting"), signal: end.signal };
    const loads = [load({ ...options, keepAlive: true }), load({ ...options, keepAlive: false })];
    try {
      for (const count of [4, 1, 3, 2, 1]) {
        expect(await fleet.ctl("workers", String(count))).toMatchObject({ code: 0 });
        await fleet.settled(count);
        expect((await whoAnswers(fleet, 60)).size).toBeLessThanOrEqual(count);
      }
    } finally {
      end.abort();
    }
    for (const result of await Promise.all(loads)) expect([lost(result), result.failures]).toEqual([0, []]);
  });
});
