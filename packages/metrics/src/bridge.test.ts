import { Meter } from "@tsserve/server";
import { Counter, Gauge, Histogram, Registry, Summary } from "prom-client";
import { beforeEach, describe, expect, test } from "vitest";
import { PromClientBridge } from "./bridge.ts";
import { Definitions } from "./definitions.ts";
import { Merger } from "./merge.ts";
import { print } from "./print.ts";
import { ValueFile } from "./value-file.ts";

let registry: Registry;
let meter: Meter;
let bridge: PromClientBridge;
const told: string[] = [];

beforeEach(() => {
  registry = new Registry();
  meter = new Meter();
  told.length = 0;
  bridge = new PromClientBridge(meter, (metric, error) => told.push(`${metric}: ${(error as Error).message}`));
});

/** What would be exported, as samples. */
async function exported(): Promise<string[]> {
  await bridge.copy([registry]);
  const file = ValueFile.inMemory(new Definitions());
  file.update(meter);
  const families = new Merger().merge([{ slot: 0, series: file.series, cells: file.cells, isAlive: true }]);
  return print(families, "prometheus")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
}

describe("what prom-client holds is exported as prom-client prints it", () => {
  test("counters, gauges, histograms and summaries, with labels and without", async () => {
    const registers = [registry];
    const counter = new Counter({ name: "c_total", help: "c", labelNames: ["a", "b"], registers });
    const gauge = new Gauge({ name: "g", help: "g", labelNames: ["a"], registers });
    const histogram = new Histogram({ name: "h_seconds", help: "h", labelNames: ["a"], buckets: [0.1, 1, 10], registers });
    const plain = new Histogram({ name: "p_seconds", help: "p", buckets: [1], registers });
    const summary = new Summary({ name: "s", help: "s", percentiles: [0.5, 0.9], registers });
    const samplesOf = async (): Promise<string[]> =>
      (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    // Prom-client writes `le` and `quantile` before the other labels.
    const sorted = (lines: readonly string[]): string[] =>
      lines.map((line) => line.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(",").sort().join(",")}}`)).sort();
    for (let round = 0; round < 3; round++) {
      for (const a of ["x", "y", "z"].slice(0, round + 1)) {
        counter.inc({ a, b: "1" }, round + 1);
        counter.inc({ a });
        gauge.set({ a }, round);
        histogram.observe({ a }, round * 5);
      }
      plain.observe(round);
      summary.observe(round);
      expect(sorted(await exported())).toEqual(sorted(await samplesOf()));
    }
  });

  test("a counter that is reset, or begins anew under its labels, goes on from where it was", async () => {
    const counter = new Counter({ name: "c_total", help: "c", labelNames: ["a"], registers: [registry] });
    const histogram = new Histogram({ name: "h", help: "h", buckets: [1], registers: [registry] });
    counter.inc({ a: "x" }, 5);
    counter.inc({ a: "y" }, 1);
    histogram.observe(0.5);
    await exported();
    registry.resetMetrics();
    await exported();
    // In another order than before.
    counter.inc({ a: "y" }, 2);
    counter.inc({ a: "x" }, 1);
    histogram.observe(2);
    expect(await exported()).toEqual([
      'c_total{a="x"} 6',
      'c_total{a="y"} 3',
      'h_bucket{le="1"} 1',
      'h_bucket{le="+Inf"} 2',
      "h_sum 2.5",
      "h_count 2",
    ]);
    counter.remove({ a: "x" });
    expect((await exported()).slice(0, 2)).toEqual(['c_total{a="x"} 6', 'c_total{a="y"} 3']);
  });

  test("series that come and go, and change their places, are counted once", async () => {
    const counter = new Counter({ name: "c_total", help: "c", labelNames: ["a"], registers: [registry] });
    const expected = new Map<string, number>();
    // A fixed sequence that looks like chance.
    for (let n = 0, chance = 1; n < 400; n++) {
      chance = (chance * 48_271) % 2_147_483_647;
      const a = "xyz"[chance % 3] as string;
      if (chance % 7 === 0) counter.remove({ a });
      else if (chance % 31 === 0) registry.resetMetrics();
      else {
        counter.inc({ a });
        expected.set(a, (expected.get(a) ?? 0) + 1);
      }
      const lines = await exported();
      for (const [label, count] of expected) expect(lines, String(n)).toContain(`c_total{a="${label}"} ${count}`);
    }
  });

  test("a gauge that is removed, or whose metric is, has no value any more", async () => {
    const gauge = new Gauge({ name: "g", help: "g", labelNames: ["a"], registers: [registry] });
    gauge.set({ a: "x" }, 1);
    gauge.set({ a: "y" }, 2);
    expect(await exported()).toEqual(['g{a="x"} 1', 'g{a="y"} 2']);
    gauge.remove("x");
    expect(await exported()).toEqual(['g{a="y"} 2']);
    registry.removeSingleMetric("g");
    expect(await exported()).toEqual([]);
  });

  test("a metric that can't be collected is told once, keeps its last value, and keeps nothing else back", async () => {
    let fails = false;
    const registers = [registry];
    const gauge = new Gauge({
      name: "fails",
      help: "f",
      registers,
      collect() {
        if (fails) throw new Error("no value");
        this.set(7);
      },
    });
    expect(registry.getSingleMetric("fails")).toBe(gauge);
    const after = new Counter({ name: "after_total", help: "a", registers });
    after.inc();
    await exported();
    fails = true;
    after.inc();
    for (let n = 0; n < 3; n++) expect(await exported()).toEqual(["fails 7", "after_total 2"]);
    expect(told).toEqual(["fails: no value"]);
  });

  test("a collect that never ends is given up", async () => {
    registry.registerMetric(new Gauge({ name: "endless", help: "e", registers: [], collect: () => new Promise(() => undefined) }));
    new Counter({ name: "after_total", help: "a", registers: [registry] }).inc();
    expect(await exported()).toEqual(["after_total 1"]);
    expect(told).toEqual(["endless: its collect() took more than 1000 ms"]);
  });
});
