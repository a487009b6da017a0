import { spawn } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { freePort, makeTemporaryFolder, spawnTsserve, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { app, get, serveFleet, up } from "./support/fleet.ts";
import { afterMounting } from "./support/after-mounting.ts";

/** How the Node that is tested calls its permission model. */
const permission = ["--permission", "--experimental-permission"].find((flag) => process.allowedNodeEnvironmentFlags.has(flag));

test.skipIf(permission === undefined)("a process that may start no thread serves, and says what it lacks", async () => {
  const allowed = `${permission} --allow-fs-read=* --allow-fs-write=*`;
  using folder = makeTemporaryFolder({
    "app.mjs": app("held"),
    "app.ini": "[server:main]\nfactory = tsserve/http\n[app:main]\nfactory = ./app.mjs\n",
  });
  const port = await freePort();
  await using server = spawnTsserve({
    args: ["app.ini", "--bind", `127.0.0.1:${port}`],
    cwd: folder.path,
    env: { NODE_OPTIONS: allowed },
  });
  await server.log(/^listening/);
  await server.log(/^the watchdog thread failed/);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toContain("held");
  server.kill("SIGTERM");
  expect(await server.exited()).toMatchObject({ code: 0 });
});

test("the control socket's file may be removed: workers are replaced, and the file comes again", async () => {
  await using fleet = await serveFleet({ workers: 1 });
  await up(fleet, 1);
  const [worker] = (await fleet.settled(1)).workers;
  rmSync(fleet.socket);
  process.kill(worker?.pid ?? 0, "SIGKILL");
  await up(fleet, 2);
  await until("the file", () => existsSync(fleet.socket));
  expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
  expect(fleet.logs().find(({ msg }) => msg.includes("had been removed"))).toMatchObject({ level: "warn" });
});

test("the metrics folder may be removed: the fleet's state is written again", async () => {
  const port = await freePort();
  await using fleet = await serveFleet({
    workers: 1,
    server: `metrics.endpoint = 127.0.0.1:${port}`,
    env: { PROMETHEUS_MULTIPROC_DIR: undefined },
  });
  await up(fleet, 1);
  const folder = await until("its folder", () => metricsFolder(fleet.pid));
  rmSync(folder, { recursive: true });
  await until("it again", () => existsSync(folder));
  expect((await get(fleet)).greeting).toBe("one");
});

describe("what a machine may lack, or lose while a fleet serves:", () => {
  /** All that is counted so far, and whose gauges there are. */
  const scraped = async (port: number): Promise<{ readonly requests: number; readonly pids: number }> => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const counts = [...text.matchAll(/^http_server_requests_total\{.*\} (\d+)$/gm)].map(([, value]) => Number(value));
    const pids = new Set([...text.matchAll(/^runtime_heap_used_bytes\{.*pid="(\d+)"/gm)].map(([, pid]) => pid));
    return { requests: counts.reduce((sum, value) => sum + value, 0), pids: pids.size };
  };
  const cases = [
    { what: "the whole folder for temporary files", as: (lost: string) => ({ env: { TMPDIR: lost } }) },
    { what: "the working folder", as: (lost: string) => ({ startIn: lost }) },
    { what: "/proc", as: () => afterMounting("mount -t tmpfs none /proc") },
  ];
  // Who is not root can't hide /proc.
  test.each(cases.filter(({ what }) => what !== "/proc" || process.getuid?.() === 0))(
    "$what: sums go on, workers are replaced and upgraded, and it stops as asked",
    async ({ as }) => {
      using lost = makeTemporaryFolder({});
      const port = await freePort();
      await using fleet = await serveFleet({
        server: `metrics.endpoint = 127.0.0.1:${port}`,
        ...as(lost.path),
      });
      await up(fleet, 2);
      for (let n = 0; n < 5; n++) await get(fleet);
      await until("all to be counted", async () => (await scraped(port)).requests === 5);
      rmSync(lost.path, { recursive: true });
      for (let n = 0; n < 5; n++) await get(fleet);
      await until("sums to go on", async () => (await scraped(port)).requests === 10);
      await until("both workers in a scrape", async () => (await scraped(port)).pids === 2);
      const [worker] = (await fleet.settled(2)).workers;
      process.kill(worker?.pid ?? 0, "SIGKILL");
      await until("another in its place", async () => (await fleet.settled(2)).workers.every(({ pid }) => pid !== worker?.pid));
      expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
      expect((await get(fleet)).greeting).toBe("one");
      fleet.kill("SIGTERM");
      expect(await fleet.exited()).toMatchObject({ code: 0 });
    },
  );
});

function metricsFolder(pid: number): string | undefined {
  const found = readdirSync(tmpdir()).find((name) => name.startsWith(`tsserve-metrics-${pid}-`));
  return found === undefined ? undefined : `${tmpdir()}/${found}`;
}

test("what nobody catches in the master ends nothing: the reader of its stderr has gone, and a worker writes", async () => {
  const port = await freePort();
  using folder = makeTemporaryFolder({
    "package.json": '{"type":"module"}',
    "app.js": `setInterval(() => console.error("a word"), 50);\n${app("quiet")}`,
    "app.ini": "[server:main]\nfactory = tsserve/http\nmetrics.enabled = false\n[app:main]\nfactory = ./app.js\n",
  });
  const bin = `${import.meta.dirname}/../packages/tsserve/bin/tsserve.js`;
  const child = spawn(
    process.env["TSSERVE_TEST_NODE"] ?? process.execPath,
    [bin, "app.ini", "--workers", "1", "--bind", `127.0.0.1:${port}`],
    {
      cwd: folder.path,
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const answer = async (): Promise<string> => ((await (await fetch(`http://127.0.0.1:${port}`)).json()) as { greeting: string }).greeting;
  try {
    await until("it", () => answer().catch(() => undefined));
    await new Promise((resolve) => child.stderr.once("data", resolve));
    child.stderr.destroy();
    for (let time = 0; time < 10; time++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await answer()).toBe("quiet");
    }
  } finally {
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
  }
});
