import { mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { bindDescriptor, freePort, makeTemporaryFolder, spawnTsserve, until, workerEnvironment } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { get } from "./support/fleet.ts";
import { countedFleet, countingApp } from "./support/measured.ts";
import { scrape } from "./support/scrape.ts";
import { serve } from "./support/serve.ts";

describe("the metrics of several workers", () => {
  test("are one: counters add up, gauges are merged as prom-client is told to", async () => {
    await using fleet = await countedFleet(3);
    const pids = new Set<number>();
    let asked = 0;
    while (pids.size < 3) {
      pids.add((await get(fleet)).pid);
      asked += 1;
    }
    const seen = await until("all to be seen", async () => {
      const all = await scrape(fleet.metrics);
      return all.sum("app_hits_total") === asked && all.sum("app_level") === 6 ? all : undefined;
    });
    expect(seen.value('app_hits_total{kind="a \\"quoted\\" \\\\ one"}')).toBe(asked);
    expect(seen.sum("http_server_requests_total")).toBe(asked);
    expect([seen.value('app_took_seconds_bucket{le="0.1"}'), seen.value('app_took_seconds_bucket{le="1"}')]).toEqual([0, asked]);
    expect([seen.value("app_took_seconds_sum"), seen.value("app_took_seconds_count")]).toEqual([asked / 2, asked]);
    expect([seen.value('app_size{quantile="0.5"}'), seen.value("app_size_sum"), seen.value("app_size_count")]).toEqual([
      4,
      asked * 4,
      asked,
    ]);
    expect(["app_level", "app_lowest", "app_highest", "app_mean", "app_unseen"].map((name) => seen.value(name))).toEqual([
      6,
      1,
      3,
      2,
      undefined,
    ]);
    expect(seen.text.match(/^runtime_heap_used_bytes\{/gm)).toHaveLength(3);
  });

  test("a worker that stands still delays no scrape, and its numbers stay", async () => {
    await using fleet = await countedFleet(3);
    const { workers } = await fleet.settled(3);
    for (let n = 0; n < 30; n++) await get(fleet);
    await until("all to be written", async () => {
      const all = await scrape(fleet.metrics);
      return all.sum("app_hits_total") === 30 && all.sum("app_level") === 6;
    });
    const stopped = workers[0]?.pid ?? 0;
    process.kill(stopped, "SIGSTOP");
    try {
      for (let n = 0; n < 30; n++) {
        const seen = await scrape(fleet.metrics);
        expect([seen.sum("app_hits_total"), seen.sum("app_level")]).toEqual([30, 6]);
      }
    } finally {
      process.kill(stopped, "SIGCONT");
    }
  });

  test("a file that is broken, or not ours, is left out, counted, and told once", async () => {
    await using fleet = await countedFleet(2);
    for (let n = 0; n < 20; n++) await get(fleet);
    await until("all", async () => (await scrape(fleet.metrics)).sum("app_hits_total") === 20);
    const folder = fleet.folderOfMetrics();
    writeFileSync(`${folder}/77.v2.values`, "this is no file of ours, and it is longer than a head of eight doubles would be");
    writeFileSync(`${folder}/77.v2.1.series`, "[]");
    writeFileSync(`${folder}/77.values`, "of another version");
    writeFileSync(`${folder}/notes.txt`, "hello");
    mkdirSync(`${folder}/78.v2.values`);
    writeFileSync(`${folder}/79.v2.values`, "");
    const seen = await scrape(fleet.metrics);
    expect(seen.sum("app_hits_total")).toBe(20);
    expect(seen.value('tsserve_exporter_left_out_files{reason="foreign"}')).toBe(1);
    expect(seen.value('tsserve_exporter_left_out_files{reason="version"}')).toBe(1);
    expect(seen.value('tsserve_exporter_left_out_files{reason="corrupt"}')).toBe(1);
    expect(seen.value('tsserve_exporter_left_out_files{reason="unreadable"}')).toBe(1);
    for (let n = 0; n < 10; n++) await scrape(fleet.metrics);
    const told = fleet.logs().filter(({ msg }) => msg.includes("77.v2.values is left out of the metrics"));
    expect(new Set(told.map(({ pid }) => pid)).size).toBe(told.length);
    // Even those of a living worker: it writes on, the others are exported.
    truncateSync(`${folder}/0.v2.1.series`, 10);
    truncateSync(`${folder}/1.v2.values`, 100);
    expect((await scrape(fleet.metrics)).status).toBe(200);
    expect((await get(fleet)).greeting).toBe("one");
  });
});

describe("a metrics folder in other people's hands", () => {
  test("one that somebody removes is made anew, and what the living have counted is there again", async () => {
    await using fleet = await countedFleet(2);
    for (let n = 0; n < 20; n++) await get(fleet);
    await until("all", async () => (await scrape(fleet.metrics)).sum("app_hits_total") === 20);
    rmSync(fleet.folderOfMetrics(), { recursive: true });
    const seen = await until("all again", async () => {
      const all = await scrape(fleet.metrics);
      return all.sum("app_hits_total") === 20 && all.sum("app_level") === 3 ? all : undefined;
    });
    expect(seen.sum("http_server_requests_total")).toBe(20);
    expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
    await get(fleet);
    await until("the successors' as well", async () => (await scrape(fleet.metrics)).sum("app_hits_total") === 21);
  });
});

describe("workers of another master", () => {
  test("share the port: when the one that has it is killed, another one takes it over, and nothing is forgotten", async () => {
    const port = await freePort();
    using bound = bindDescriptor();
    const folder = makeTemporaryFolder({
      "package.json": '{"type":"module"}',
      "app.js": countingApp,
      "app.ini": `[server:main]\nfactory = tsserve/http\naccess_log = false\n[app:main]\nfactory = ./app.js\nmetrics.endpoint = 127.0.0.1:${port}\n`,
    });
    const start = (index: number) =>
      spawnTsserve({
        args: ["app.ini"],
        cwd: folder.path,
        descriptors: [bound.fd],
        env: workerEnvironment({ EINHORN_CHILD_INDEX: String(index) }),
      });
    await using first = start(0);
    await first.log(/^metrics at /);
    await using second = start(1);
    await second.listening();
    for (let n = 0; n < 10; n++) await fetch(`http://127.0.0.1:${bound.port}`, { headers: { Connection: "close" } });
    await until("all of both", async () => (await scrape(port)).sum("app_hits_total") === 10);
    first.kill("SIGKILL");
    await second.log(/^metrics at /);
    const seen = await scrape(port);
    expect(seen.sum("app_hits_total")).toBe(10);
    expect(seen.sum("app_level")).toBe(2);
    folder.remove();
  });

  test("the second inherited socket is the exporter's when metrics.listener says so", async () => {
    using first = bindDescriptor();
    using second = bindDescriptor();
    const parent = makeTemporaryFolder({});
    const env = workerEnvironment({ EINHORN_FD_COUNT: "2", EINHORN_FD_1: "4", PROMETHEUS_MULTIPROC_DIR: parent.path });
    await using served = serve({ descriptors: [first.fd, second.fd], env, bind: [], server: { "metrics.listener": "1" } });
    await served.listening();
    expect((await fetch(`http://127.0.0.1:${first.port}`)).status).toBe(200);
    const seen = await until("the exporter", () => scrape(second.port).catch(() => undefined));
    expect(seen.sum("http_server_requests_total")).toBe(1);
    expect(readdirSync(parent.path)).toHaveLength(1);
    parent.remove();
    await using wrong = serve({ descriptors: [first.fd], env: workerEnvironment(), bind: [], server: { "metrics.listener": "1" } });
    expect(await wrong.exited()).toMatchObject({ code: 2 });
    expect(wrong.stderr()).toContain(
      "metrics.listener: expected the number of one of several inherited sockets, counted from 0; there are 1",
    );
  });
});
