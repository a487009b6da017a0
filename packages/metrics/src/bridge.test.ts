import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Meter } from "@tsserve/server";
import { Counter, Gauge, Histogram, Registry, Summary } from "prom-client";
import { beforeEach, describe, expect, test } from "vitest";
import { PromClientBridge } from "./bridge.ts";
import { Definitions } from "./definitions.ts";
import { ExemplarReader } from "./exemplars.ts";
import { identity } from "./folder.ts";
import { Keeper } from "./keeper.ts";
import { Merger } from "./merge.ts";
import { print } from "./print.ts";
import { randomOf } from "../../../test/support/random-of.ts";

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
async function exported(...others: Registry[]): Promise<string[]> {
  await bridge.copy([registry, ...others]);
  const log = { debug: () => undefined, info: () => undefined, warn: () => undefined };
  const owner = identity(process.pid);
  const keeper = new Keeper({
    meter,
    owner,
    workerIndex: 0,
    folder: undefined,
    remakeFolder: () => {
      throw new Error("there is no place");
    },
    definitions: new Definitions(),
    registries: () => [],
    sample: () => undefined,
    log,
  });
  keeper.start();
  return print((await new Merger().merge(keeper.contributions)).families, "prometheus")
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

  test.each([1, 2, 3, 4])(
    "whatever grows, stands still, is reset or removed, nothing is lost and nothing counted twice (seed %d)",
    async (seed) => {
      const random = randomOf(seed);
      const registers = [registry];
      const counter = new Counter({ name: "c_total", help: "c", labelNames: ["n"], registers });
      const histogram = new Histogram({ name: "h", help: "h", labelNames: ["n"], buckets: [1, 2], registers });
      const summary = new Summary({ name: "s", help: "s", percentiles: [0.5], registers });
      const counted = new Map<string, number>();
      const add = (sample: string, by: number): void => void counted.set(sample, (counted.get(sample) ?? 0) + by);
      for (let round = 0; round < 30; round++) {
        for (let n = 0; n < 20; n++) {
          const label = Math.floor(random() * 12);
          const by = Math.floor(random() * 3);
          counter.inc({ n: label }, by);
          add(`c_total{n="${label}"}`, by);
          histogram.observe({ n: label }, by);
          add(`h_count{n="${label}"}`, 1);
          add(`h_sum{n="${label}"}`, by);
          add(`h_bucket{n="${label}",le="1"}`, by < 2 ? 1 : 0);
        }
        if (random() < 0.5) {
          summary.observe(2);
          add("s_count", 1);
          add("s_sum", 2);
        }
        const samples = new Map(
          (await exported()).map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
        );
        for (const [sample, value] of counted) expect([sample, samples.get(sample)]).toEqual([sample, value]);
        // All of it has been copied: what goes now has been counted.
        if (random() < 0.2) counter.reset();
        if (random() < 0.2) histogram.reset();
        if (random() < 0.2) summary.reset();
        if (random() < 0.4) counter.remove({ n: Math.floor(random() * 12) });
        // A metric that was reset is known by what is less than before: who grows past that in between hides it, as from Prometheus.
        await exported();
      }
    },
  );

  test("very many values are copied in turns of the event loop, and what grows meanwhile is there the next time", async () => {
    const counter = new Counter({ name: "c_total", help: "c", labelNames: ["n"], registers: [registry] });
    for (let n = 0; n < 5000; n++) counter.inc({ n });
    let turns = 0;
    const count = setImmediate(() => {
      turns += 1;
      counter.inc({ n: 7 });
    });
    await bridge.copy([registry]);
    clearImmediate(count);
    expect(turns).toBe(1);
    expect(await exported()).toContain('c_total{n="7"} 2');
    expect(meter.series).toHaveLength(5000);
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
    for (let n = 0; n < 3; n++) expect(await exported()).toEqual(["after_total 2", "fails 7"]);
    expect(told).toEqual(["fails: no value"]);
  });

  test("a collect that never ends is given up", async () => {
    registry.registerMetric(new Gauge({ name: "endless", help: "e", registers: [], collect: () => new Promise(() => undefined) }));
    new Counter({ name: "after_total", help: "a", registers: [registry] }).inc();
    expect(await exported()).toEqual(["after_total 1"]);
    expect(told).toEqual(["endless: its collect() took more than 1000 ms"]);
  });
});

describe("what prom-client holds beside numbers", () => {
  test("negative observations: sums become smaller, and are right after a reset", async () => {
    const registers = [registry];
    const histogram = new Histogram({ name: "h", help: "h", buckets: [0], registers });
    const summary = new Summary({ name: "s", help: "s", percentiles: [0.5], registers });
    for (const value of [5, -2, -10, 1]) {
      histogram.observe(value);
      summary.observe(value);
      await exported();
    }
    expect(await exported()).toEqual(
      expect.arrayContaining(['h_bucket{le="0"} 2', 'h_bucket{le="+Inf"} 4', "h_sum -6", "s_sum -6", "s_count 4"]),
    );
    registry.resetMetrics();
    await exported();
    histogram.observe(-1);
    summary.observe(-1);
    expect(await exported()).toEqual(expect.arrayContaining(["h_sum -7", "h_count 5", "s_sum -7", "s_count 5"]));
  });

  test("default labels of the registry, which a series' own labels win over", async () => {
    registry.setDefaultLabels({ app: "shop", a: "default" });
    new Counter({ name: "c_total", help: "c", labelNames: ["a"], registers: [registry] }).inc({ a: "x" });
    new Counter({ name: "d_total", help: "d", registers: [registry] }).inc();
    expect(await exported()).toEqual(['c_total{a="x",app="shop"} 1', 'd_total{a="default",app="shop"} 1']);
  });

  test("two metrics of one name and meaning, in two registries, are one", async () => {
    const other = new Registry();
    const counters = [registry, other].map((each) => new Counter({ name: "c_total", help: "c", registers: [each] }));
    const histograms = [registry, other].map((each) => new Histogram({ name: "h", help: "h", buckets: [1], registers: [each] }));
    for (let n = 0; n < 3; n++) {
      counters[n % 2]?.inc(n + 1);
      histograms[n % 2]?.observe(n);
      await exported(other);
    }
    expect(await exported(other)).toEqual(["c_total 6", 'h_bucket{le="1"} 2', 'h_bucket{le="+Inf"} 3', "h_sum 3", "h_count 3"]);
    counters[0]?.reset();
    expect(await exported(other)).toContain("c_total 6");
  });

  test("two meanings of one name in one process: the later one is exported, nothing stands twice", async () => {
    const other = new Registry();
    new Counter({ name: "c_total", help: "c", labelNames: ["a"], registers: [registry] }).inc({ a: "x" });
    new Counter({ name: "c_total", help: "c", labelNames: ["b"], registers: [other] }).inc({ b: "y" });
    new Histogram({ name: "h", help: "h", buckets: [1], registers: [registry] }).observe(1);
    new Gauge({ name: "h", help: "h", registers: [other] }).set(3);
    // Its samples have the name of those of the histogram, which is there no more.
    new Counter({ name: "h_count", help: "h", registers: [other] }).inc(7);
    expect(await exported(other)).toEqual(['c_total{b="y"} 1', "h_count 7", "h 3"]);
  });

  test("a registry for OpenMetrics: counters get their ending back, exemplars are kept", async () => {
    const open = new (Registry as unknown as new (contentType: string) => Registry)(Registry.OPENMETRICS_CONTENT_TYPE);
    const hits = new Counter({ name: "hits", help: "h", registers: [open], enableExemplars: true });
    const took = new Histogram({ name: "took", help: "t", buckets: [1, 2], registers: [open], enableExemplars: true });
    hits.inc({ value: 2, exemplarLabels: { trace_id: "abc" } });
    took.observe({ value: 1.5, exemplarLabels: { trace_id: "def" } });
    expect(await exported(open)).toContain("hits_total 2");
    // prom-client takes the ending away when it prints.
    await open.metrics();
    expect(await exported(open)).toContain("hits_total 2");
    const folder = mkdtempSync(join(tmpdir(), "tsserve-exemplars-"));
    bridge.exemplars.write(join(folder, "a.json"));
    const read = [...new ExemplarReader().read([join(folder, "a.json")]).values()];
    expect(read).toEqual([
      { 0: { labels: { trace_id: "abc" }, value: 2, time: expect.any(Number) as number } },
      { 1: { labels: { trace_id: "def" }, value: 1.5, time: expect.any(Number) as number } },
    ]);
    rmSync(folder, { recursive: true });
  });
});
