import { spawnSync } from "node:child_process";
import { until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { app, get } from "./support/fleet.ts";
import { hasProgram, measuredFleet } from "./support/measured.ts";
import { prometheusOf } from "./support/prometheus.ts";

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

  test("promtool finds nothing to say", async () => {
    await using fleet = await measuredFleet({
      workers: 1,
      server: "monitoring.blocked_hub = 100 milliseconds\nmonitoring.gc.timing = true\nmonitoring.connection_pool = true",
    });
    await get(fleet);
    const text = await (await fetch(`http://127.0.0.1:${fleet.metrics}/metrics`)).text();
    const { status, stdout, stderr } = spawnSync("/usr/bin/promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
    expect([status, stdout, stderr]).toEqual([0, "", ""]);
  });
});
