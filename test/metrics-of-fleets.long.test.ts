import { spawnSync } from "node:child_process";
import { readdirSync, rmSync, statSync } from "node:fs";
import { makeTemporaryFolder, until } from "@tsserve/testing";
import { expect, test } from "vitest";
import { get } from "./support/fleet.ts";
import { countedFleet, countingApp, measuredFleet } from "./support/measured.ts";
import { countersOf, scrape, type Scrape } from "./support/scrape.ts";

test("counters never decrease, for two scrapers at once: kill -9, upgrades, resets; files do not pile up", async () => {
  await using fleet = await countedFleet(2, "drain_time = 100 milliseconds");
  const end = new AbortController();
  let scrapes = 0;
  let cut = 0;
  const watch = async (): Promise<void> => {
    let last = new Map<string, number>();
    while (!end.signal.aborted) {
      // Who is killed takes the scrapes along that it is answering.
      const seen = await scrape(fleet.metrics).catch(() => undefined);
      if (seen === undefined) {
        cut += 1;
        continue;
      }
      const now = countersOf(seen);
      for (const [series, value] of last) expect(now.get(series), series).toBeGreaterThanOrEqual(value);
      last = now;
      scrapes += 1;
    }
  };
  const watchers = Promise.all([watch(), watch()]);
  try {
    for (let round = 0; round < 6; round++) {
      for (let n = 0; n < 20; n++) await get(fleet);
      if (round === 3) await get(fleet, "/reset");
      if (round % 2 === 0) {
        const before = new Set((await fleet.settled(2)).workers.map(({ pid }) => pid));
        await fetch(`http://127.0.0.1:${fleet.port}/die`).catch(() => undefined);
        await until("a new worker", async () => (await fleet.settled(2)).workers.some(({ pid }) => !before.has(pid)));
      } else expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
      await fleet.settled(2);
    }
  } finally {
    end.abort();
  }
  await watchers;
  expect(scrapes).toBeGreaterThan(50);
  expect(cut).toBeLessThanOrEqual(2 * 3);
  // A killed worker may have taken along what it counted in its last second, nothing else.
  const seen = await until("the gauges of both, and of nobody else", async () => {
    const now = await scrape(fleet.metrics);
    return now.text.match(/^runtime_heap_used_bytes\{/gm)?.length === 2 && now.sum("app_level") > 0 ? now : undefined;
  });
  expect(seen.sum("app_hits_total")).toBeGreaterThan(60);
  // For each of four indexes and two processes its values and series, and what the master says.
  expect(readdirSync(fleet.folderOfMetrics()).filter((name) => /\.(?:values|series)$/.test(name)).length).toBeLessThanOrEqual(2 * (4 + 2));
  expect(statSync(fleet.folderOfMetrics()).mode & 0o777).toBe(0o700);
  const folder = fleet.folderOfMetrics();
  fleet.kill("SIGTERM");
  await fleet.exited();
  expect(() => statSync(folder)).toThrow(/ENOENT/);
});

const isRoot = process.getuid?.() === 0;
test.runIf(isRoot)("with a disk that is full, no exported sum goes down, whoever dies; with room again, all is there", async (context) => {
  const parent = makeTemporaryFolder({});
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", parent.path]).status !== 0)
    context.skip("nothing can be mounted here");
  try {
    await using fleet = await measuredFleet({
      workers: 2,
      // Each request has a series of its own: the files have to grow.
      app: countingApp.replace("hits.inc({ kind: 'a \"quoted\" \\\\ one' })", "hits.inc({ kind: request.url })"),
      env: { PROMETHEUS_MULTIPROC_DIR: parent.path },
    });
    let asked = 0;
    const ask = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) await get(fleet, `/${asked++}`);
    };
    let last = new Map<string, number>();
    const look = async (): Promise<Scrape> => {
      const seen = await scrape(fleet.metrics);
      const now = countersOf(seen);
      for (const [series, value] of last) expect(now.get(series), series).toBeGreaterThanOrEqual(value);
      last = now;
      return seen;
    };
    await ask(20);
    await until("what was counted before", async () => (await look()).sum("app_hits_total") === 20);
    spawnSync("sh", ["-c", "cat /dev/zero > filler"], { cwd: parent.path });
    for (let round = 0; round < 4; round++) {
      await ask(60);
      for (let n = 0; n < 6; n++) await look();
      const before = new Set((await fleet.status()).workers.map(({ pid }) => pid));
      if (round === 1) await fetch(`http://127.0.0.1:${fleet.port}/die`).catch(() => undefined);
      if (round === 1) await until("a successor", async () => (await fleet.settled(2)).workers.some(({ pid }) => !before.has(pid)));
    }
    await fleet.log(/^metrics can't be written/);
    rmSync(`${parent.path}/filler`);
    // But for what the one that died could not write.
    await until("what could not be written", async () => (await look()).sum("app_hits_total") > 140);
  } finally {
    spawnSync("umount", ["-l", parent.path]);
    parent.remove();
  }
});
