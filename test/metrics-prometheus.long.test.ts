import { spawnSync } from "node:child_process";
import { until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { app, get } from "./support/fleet.ts";
import { hasProgram, measuredFleet } from "./support/measured.ts";
import { prometheusOf } from "./support/prometheus.ts";
import { scrape } from "./support/scrape.ts";

describe.runIf(hasProgram("/usr/bin/prometheus"))("Prometheus itself", () => {
  test("scrapes the exporter over a rolling upgrade and a kill, and sees no counter reset", async () => {
    await using fleet = await measuredFleet({ workers: 2, server: "drain_time = 200 milliseconds" });
    await using prometheus = await prometheusOf(fleet);
    const { query } = prometheus;
    await until("the first scrape", () => query('up{job="app"} == 1'), { timeoutMs: 30_000 });
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 20; n++) await get(fleet);
      fleet.write("app.js", app(`round ${round}`));
      expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
      if (round === 1) await fetch(`http://127.0.0.1:${fleet.port}/die`).catch(() => undefined);
      await fleet.settled(2);
    }
    await until("all requests", async () => ((await query("sum(http_server_requests_total)")) ?? 0) >= 60, { timeoutMs: 30_000 });
    expect(await query("sum(resets(http_server_requests_total[5m])) + sum(resets(http_server_latency_seconds_count[5m]))")).toBe(0);
    expect(await query("sum(resets(http_server_latency_seconds_sum[5m]))")).toBe(0);
    await until("the gauges of the two that live", async () => (await query("count(runtime_heap_used_bytes)")) === 2);
    expect(await query("histogram_quantile(0.5, sum by (le) (http_server_latency_seconds_bucket))")).toBeGreaterThan(0);
  });

  test("sees each name once over upgrades that change buckets, labels and types, and counts right", async () => {
    const promClient = new URL("../node_modules/prom-client/index.js", import.meta.url).pathname;
    const counting = (define: string, count: string): string => `import { Counter, Gauge, Histogram } from "${promClient}";
      const steady = new Counter({ name: "steady_total", help: "Never changes." });
      ${define}
      export const makeApp = () => (request, response) => {
        steady.inc();
        ${count}
        response.end(JSON.stringify({ pid: process.pid }));
      };`;
    const histogram = (buckets: string): string =>
      counting(`const it = new Histogram({ name: "it", help: "It.", buckets: ${buckets} });`, "it.observe(1.5);");
    const counter = (label: string): string =>
      counting(`const it = new Counter({ name: "it", help: "It.", labelNames: ["${label}"] });`, `it.inc({ ${label}: "x" });`);
    const gauge = counting('const it = new Gauge({ name: "it", help: "It." });', "it.set(5);");
    await using fleet = await measuredFleet({ workers: 2, app: histogram("[1, 2]"), server: "drain_time = 100 milliseconds" });
    await using prometheus = await prometheusOf(fleet);
    const { query } = prometheus;
    await until("the first scrape", () => query('up{job="app"} == 1'), { timeoutMs: 30_000 });
    let asked = 0;
    const ask = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) await get(fleet);
      asked += count;
      await until("all to be scraped", async () => (await query("steady_total")) === asked, { timeoutMs: 30_000 });
    };
    const upgradeTo = async (code: string): Promise<string> => {
      fleet.write("app.js", code);
      expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
      await fleet.settled(2);
      await ask(10);
      const { text } = await scrape(fleet.metrics);
      const { status, stdout, stderr } = spawnSync("/usr/bin/promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
      // 3 is what it would name otherwise, for a counter without an ending; 1 is what it can't read.
      expect([0, 3], stdout + stderr).toContain(status);
      // Nothing stands twice.
      const names = text
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("# HELP"))
        .map((line) => line.replace(/ [^ ]+$/, ""));
      expect(new Set(names).size).toBe(names.length);
      return text;
    };
    await ask(10);
    const it = (text: string): string[] =>
      text
        .split("\n")
        .filter((line) => /^(?:# TYPE )?it(?:_\w+)?[ {]/.test(line))
        .map((line) => line.replace(/ \d+(?:\.\d+)?$/, ""));
    expect(it(await upgradeTo(histogram("[1, 5]")))).toEqual([
      "# TYPE it histogram",
      'it_bucket{le="1"}',
      'it_bucket{le="5"}',
      'it_bucket{le="+Inf"}',
      "it_sum",
      "it_count",
    ]);
    expect(it(await upgradeTo(counter("a")))).toEqual(["# TYPE it counter", 'it{a="x"}']);
    expect(it(await upgradeTo(counter("b")))).toEqual(["# TYPE it counter", 'it{b="x"}']);
    expect(it(await upgradeTo(gauge))).toEqual(["# TYPE it gauge", "it"]);
    // And back to what was: it goes on where it was.
    expect(it(await upgradeTo(counter("b")))).toEqual(["# TYPE it counter", 'it{b="x"}']);
    // Prometheus speaks OpenMetrics, in which the samples of a counter end so.
    await until("both upgrades", async () => (await query('it_total{b="x"}')) === 20, { timeoutMs: 30_000 });
    expect(await query("sum(resets(steady_total[5m])) + sum(resets(it_total[5m]))")).toBe(0);
    expect(await query("max_over_time(steady_total[5m]) - min_over_time(steady_total[5m])")).toBe(asked);
  });
});
