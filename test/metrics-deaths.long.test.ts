import { until } from "@tsserve/testing";
import { expect, test } from "vitest";
import { measuredFleet } from "./support/measured.ts";

interface Found {
  readonly events: readonly { readonly type: string; readonly pid?: number; readonly text: string; readonly details?: string }[];
  readonly records: readonly {
    readonly pid: number;
    readonly at: number;
    readonly requests: readonly { readonly route: string; readonly ageMs: number }[];
    readonly heap_used_bytes: number;
    readonly heap_limit_bytes: number;
    readonly memory_bytes: number;
    readonly seconds: readonly { readonly at: number; readonly memory_bytes: number; readonly active: number }[];
  }[];
}

const megabyte = 2 ** 20;

test("a worker that runs out of memory leaves what it was serving, its memory and its last ten seconds, and V8's last words", async () => {
  await using fleet = await measuredFleet({
    workers: 2,
    env: { NODE_OPTIONS: "--max-old-space-size=48" },
    app: `const kept = [];
    const leak = () => { for (let n = 0; n < 2000; n++) kept.push({ n, text: ["one", "of", "many", n] }); setTimeout(leak, 25); };
    export const makeApp = () => (request, response) => {
      if (request.url === "/report") return void leak();
      response.end(JSON.stringify({ pid: process.pid }));
    };`,
  });
  const hung = fetch(`http://127.0.0.1:${fleet.port}/report`).catch(() => undefined);
  const history = async (): Promise<Found> => JSON.parse((await fleet.ctl("history", "--json")).stdout) as Found;
  const { events, records } = await until(
    "the death",
    async () => {
      const found = await history();
      return found.events.some(({ type }) => type === "died") ? found : undefined;
    },
    { timeoutMs: 60_000 },
  );
  await hung;
  const died = events.find(({ type }) => type === "died");
  expect(died?.text).toMatch(/^worker \d \(generation 1, pid \d+\) (was ended by SIGABRT|ended with exit code 134)/);
  expect(died?.details).toMatch(/heap out of memory/);
  const record = records.find(({ pid }) => pid === died?.pid);
  expect(record?.requests).toEqual([expect.objectContaining({ method: "GET", route: expect.stringContaining("report") as string })]);
  const { heap_used_bytes: used = 0, heap_limit_bytes: limit = 0, memory_bytes: resident = 0, seconds = [] } = record ?? {};
  expect(limit).toBeLessThan(100 * megabyte);
  // The limit has the room of the young objects in it, too.
  expect(used).toBeGreaterThan(36 * megabyte);
  expect(resident).toBeGreaterThan(used);
  // It grew from second to second, up to the last one that it had time to tell of.
  expect(seconds.length).toBeGreaterThan(1);
  expect(seconds.length).toBeLessThanOrEqual(10);
  expect(seconds.at(-1)?.active).toBe(1);
  expect(seconds.at(-1)?.memory_bytes).toBeGreaterThan(seconds[0]?.memory_bytes ?? 0);
});
