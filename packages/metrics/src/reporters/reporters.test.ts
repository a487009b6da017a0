import { Meter, type PoolFigures } from "@tsserve/server";
import { afterEach, describe, expect, test, vi } from "vitest";
import { concurrencyReporter } from "./concurrency.ts";
import { eventLoopReporter } from "./event-loop.ts";
import { gcReporter } from "./gc.ts";
import { heapReporter } from "./heap.ts";
import { poolsReporter } from "./pools.ts";
import { processGauges } from "./process-gauges.ts";
import { schedule, slowReportIntervalMs, type Reporter } from "./schedule.ts";
import { statsdReporter } from "./statsd.ts";

afterEach(() => void vi.useRealTimers());

/** The values of a meter by name and labels, but for those of host and process. */
function valuesOf({ series, values }: Meter): Record<string, number> {
  const named = series.map(({ family, labels, cell }) => {
    const { hostname, pid, ...others } = labels;
    expect([hostname, pid ?? "7"]).toEqual(["host", "7"]);
    return [[family.name, ...Object.values(others)].join(" "), values[cell] as number] as const;
  });
  return Object.fromEntries(named);
}

describe("reporters", () => {
  test("figures of a process carry its host and its pid", () => {
    const meter = new Meter();
    const gauges = processGauges(meter, "host", 7);
    concurrencyReporter(gauges, () => ({ openConnections: 5, activeRequests: 2 })).report();
    const pools = new Map<string, () => PoolFigures | undefined>([
      ["db", () => ({ size: 8, idle: 5, inUse: 3, waiting: 1 })],
      ["bad", () => undefined],
    ]);
    poolsReporter(gauges, pools).report();
    expect(valuesOf(meter)).toEqual({
      runtime_open_connections: 5,
      runtime_active_requests: 2,
      "runtime_pool_size db": 8,
      "runtime_pool_idle db": 5,
      "runtime_pool_in_use db": 3,
      "runtime_pool_waiting db": 1,
    });
  });

  test("heap and event loop have figures that make sense", () => {
    const meter = new Meter();
    const gauges = processGauges(meter, "host", 7);
    heapReporter(gauges).report();
    const loop = eventLoopReporter(gauges);
    for (let n = 0; n < 2; n++) loop.report();
    loop.end?.();
    const values = valuesOf(meter);
    expect(values["runtime_heap_used_bytes"]).toBeLessThan(values["runtime_heap_limit_bytes"] ?? 0);
    expect(values["runtime_heap_space_used_bytes old_space"]).toBeGreaterThan(0);
    expect(values["runtime_event_loop_utilization"]).toBeLessThanOrEqual(1);
    expect(Object.keys(values).filter((name) => name.startsWith("runtime_event_loop_delay_seconds"))).toHaveLength(4);
  });

  test("collections are counted as they happen", async () => {
    const meter = new Meter();
    const reporter = gcReporter(meter, "host", { stats: true, timing: true }, undefined);
    const seen = (): boolean =>
      meter.series.some(({ family, cell }) => family.name === "runtime_gc_collections_total" && (meter.values[cell] ?? 0) > 0);
    const kept: unknown[] = [];
    for (let n = 0; n < 5000 && !seen(); n++) {
      kept.push(Array.from({ length: 20_000 }, (_, each) => ({ each })));
      if (kept.length > 20) kept.length = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(seen()).toBe(true);
    reporter.end?.();
  });

  test("StatsD is told gauges as they are and counters by what they grew, tagged with host and process", () => {
    const meter = new Meter();
    const sent: string[] = [];
    class Client {
      gauge(name: string, value: number, tags: object): void {
        sent.push(`${name} ${value} ${JSON.stringify(tags)}`);
      }
      increment(name: string, value: number): void {
        sent.push(`${name} +${value}`);
      }
      timing(name: string, ms: number): void {
        sent.push(`${name} ${ms} ms`);
      }
      close(done: () => void): void {
        done();
      }
    }
    const reporter = statsdReporter(Client, meter, { host: "h", port: 1, namespace: "my.svc", hostname: "host", pid: 7 });
    processGauges(meter, "host", 7).set("runtime_pool_in_use", "", 3, { client: "db" });
    const counter = meter.counter({ name: "runtime_gc_collections_total", help: "", type: "counter" }, { hostname: "host", kind: "minor" });
    counter.add(2);
    meter.counter({ name: "app_total", help: "", type: "counter" }, {}).add(2);
    reporter.report();
    counter.add(1);
    reporter.report();
    reporter.timing("hub_blocked", 120);
    reporter.end?.();
    const gauge = 'pool.in_use 3 {"hostname":"host","PID":"7","client":"db"}';
    expect(sent).toEqual([gauge, "gc.collections +2", gauge, "gc.collections +1", "hub_blocked 120 ms"]);
  });
});

describe("the schedule", () => {
  test("each reporter reports at once and then at its own pace, whatever becomes of the others", () => {
    const tasks = new Map<string, { readonly everyMs: number; readonly run: (now: number) => void }>();
    const told: string[] = [];
    const reports: string[] = [];
    let ended = 0;
    const reporters: Reporter[] = [
      {
        name: "bad",
        report: () => {
          throw new Error("no");
        },
        end: () => (ended += 1),
      },
      { name: "slow", everyMs: slowReportIntervalMs, report: () => void reports.push("slow") },
    ];
    const end = schedule(reporters, { every: (name, everyMs, run) => void tasks.set(name, { everyMs, run }) }, (name) => told.push(name));
    expect([...tasks].map(([name, { everyMs }]) => [name, everyMs])).toEqual([
      ["bad", 1000],
      ["slow", 10_000],
    ]);
    for (const { run } of tasks.values()) run(0);
    expect([told, reports]).toEqual([["bad"], ["slow", "slow"]]);
    end();
    for (const { run } of tasks.values()) run(0);
    expect([ended, reports.length]).toEqual([1, 2]);
  });
});
