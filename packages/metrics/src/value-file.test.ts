import { spawnSync } from "node:child_process";
import { appendFileSync, closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Meter, type MetricFamily } from "@tsserve/server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Definitions } from "./definitions.ts";
import { exemplarKey } from "./exemplars.ts";
import { processBase } from "./file-names.ts";
import { FolderReader } from "./folder-reader.ts";
import { Merger } from "./merge.ts";
import { print } from "./print.ts";
import { identityOf, type ProcessIdentity } from "./process-identity.ts";
import { ValueFile } from "./value-file.ts";

const hits = { name: "hits_total", help: "Hits.", type: "counter" } as const;
const level = { name: "level", help: "A level.", type: "gauge" } as const;
const took = { name: "took_seconds", help: "Took.", type: "histogram", buckets: [0.1, 1] } as const;

const living = identityOf(process.pid) as ProcessIdentity;
const dead: ProcessIdentity = { pid: process.pid, startedAt: 1 };

let folder = "";
const told: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsserve-values-"));
  told.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

const tell = (file: string, reason: string): number => told.push(`${file.slice(folder.length + 1)}: ${reason}`);
const open = (index: number | string, owner = living): ValueFile | undefined =>
  ValueFile.open({ folder, base: String(index), owner, definitions: new Definitions(), nextOrder, onCorrupt: tell });
const newReader = (): FolderReader => new FolderReader(folder, new Definitions(), tell);
let order = 0;
const nextOrder = (): number => order++;
const nothing: ReadonlySet<string> = new Set();
const read = async (reader = newReader()): Promise<string> => {
  const { contributions } = await reader.read(nothing);
  return print((await new Merger().merge(contributions)).families, "prometheus");
};
const samples = (text: string): string[] => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
const added = (file: ValueFile, meter: Meter): void => {
  for (const series of meter.series) file.add(series);
  file.update(meter);
  file.write();
};

/** A process that counts, writes, and ends. */
function live(index: number, amount: number, owner = living): Meter {
  const meter = new Meter();
  meter.counter(hits, { kind: "a" }).add(amount);
  meter.gauge(level, {}).set(amount);
  meter.histogram(took, {}).observe(amount / 10);
  const isLevel = ({ family }: (typeof meter.series)[number]): boolean => family.name === "level";
  for (const [base, kept] of [
    [String(index), meter.series.filter((series) => !isLevel(series))],
    [processBase(owner), meter.series.filter(isLevel)],
  ] as const) {
    const file = open(base, owner);
    for (const series of kept) file?.add(series);
    file?.update(meter);
    file?.write();
    file?.close();
  }
  return meter;
}

test("what is written can be read, and workers add up", async () => {
  live(0, 1);
  live(1, 5, identityOf(process.ppid));
  expect(samples(await read()).sort()).toEqual(
    [
      'hits_total{kind="a"} 6',
      "level 6",
      'took_seconds_bucket{le="0.1"} 1',
      'took_seconds_bucket{le="1"} 2',
      'took_seconds_bucket{le="+Inf"} 2',
      "took_seconds_sum 0.6",
      "took_seconds_count 2",
    ].sort(),
  );
});

test("a successor goes on where its predecessor ended; gauges of the dead are forgotten", async () => {
  live(0, 3, dead);
  expect(samples(await read())).not.toContain("level 3");
  expect(samples(await read())).toContain('hits_total{kind="a"} 3');
  const { size } = statSync(join(folder, "0.v2.1.series"));
  live(0, 4, { ...dead, startedAt: 2 });
  expect(statSync(join(folder, "0.v2.1.series")).size).toBe(size);
  // A third one that counts something else.
  const meter = new Meter();
  meter.counter(hits, { kind: "b" }).add(1);
  const file = open(0) as ValueFile;
  // Even before its first word, nothing is missing.
  expect(samples(await read())).toContain('hits_total{kind="a"} 7');
  added(file, meter);
  expect(samples(await read()).filter((line) => line.startsWith("hits") || line.startsWith("level"))).toEqual([
    'hits_total{kind="a"} 7',
    'hits_total{kind="b"} 1',
  ]);
  file.close();
});

test("what is closed writes nothing more, wherever its descriptors lead by then", () => {
  const meter = new Meter();
  const file = open(0) as ValueFile;
  file.close();
  const other = join(folder, "other");
  writeFileSync(other, "untouched");
  const descriptors = [openSync(other, "r+"), openSync(other, "r+")];
  meter.counter(hits, {}).add(1);
  added(file, meter);
  file.close();
  expect(readFileSync(other, "utf8")).toBe("untouched");
  for (const descriptor of descriptors) closeSync(descriptor);
});

test("the files of a living process are not taken", () => {
  live(0, 1, identityOf(process.ppid));
  expect(open(0)).toBe(undefined);
});

test("files that somebody removes are written anew, with what earlier processes counted", async () => {
  live(0, 3, dead);
  const meter = new Meter();
  meter.counter(hits, { kind: "a" }).add(1);
  const file = open(0) as ValueFile;
  added(file, meter);
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  file.restore(folder);
  file.write();
  expect(samples(await read())).toEqual(expect.arrayContaining(['hits_total{kind="a"} 4', "took_seconds_count 1"]));
  const { mtimeNs } = statSync(join(folder, "0.v2.values"), { bigint: true });
  file.restore(folder);
  file.write();
  expect(statSync(join(folder, "0.v2.values"), { bigint: true }).mtimeNs).toBe(mtimeNs);
  meter.counter(hits, { kind: "a" }).add(1);
  file.update(meter);
  file.write();
  expect(samples(await read())).toContain('hits_total{kind="a"} 5');
  file.close();
  live(0, 1);
  expect(samples(await read())).toContain('hits_total{kind="a"} 6');
});

test("what has not changed is not written again", () => {
  const meter = new Meter();
  const counter = meter.counter(hits, {});
  const file = open(0) as ValueFile;
  added(file, meter);
  const { mtimeNs } = statSync(join(folder, "0.v2.values"), { bigint: true });
  file.update(meter);
  file.write();
  expect(statSync(join(folder, "0.v2.values"), { bigint: true }).mtimeNs).toBe(mtimeNs);
  counter.add(1);
  file.update(meter);
  file.write();
  expect(statSync(join(folder, "0.v2.values"), { bigint: true }).mtimeNs).not.toBe(mtimeNs);
  file.close();
});

test("a series whose line or value is not there yet does not count", async () => {
  live(0, 1);
  const reader = newReader();
  expect(samples(await read(reader))).toHaveLength(7);
  // Half a line.
  appendFileSync(join(folder, "0.v2.1.series"), "S\t0\t600\t\t{}".slice(0, 6));
  expect(samples(await read(reader))).toHaveLength(7);
  // Its end, but no value.
  appendFileSync(join(folder, "0.v2.1.series"), '00\t\t{"kind":"z"}\n');
  expect(samples(await read(reader))).toHaveLength(7);
  expect(told).toEqual([]);
});

describe("files that are broken", () => {
  const append =
    (line: string) =>
    (base: string): void =>
      appendFileSync(`${base}.1.series`, `${line}\n`);
  const cases: Record<string, (base: string) => void> = {
    "another head": (base) => writeFileSync(`${base}.values`, Buffer.alloc(200, 7)),
    "no list of series": (base) => rmSync(`${base}.1.series`),
    "no JSON": append("S\t0\t0\t\t{]"),
    "no line of ours": append("hello"),
    "no definition": append('D\t2\t0\t["x"]'),
    "a definition's number that is not the next one": append('D\t7\t0\t["x","counter",null,null,"",null]'),
    "a series of no definition": append("S\t9\t0\t\t{}"),
    "no cell": append("S\t0\t\t\t{}"),
    "a cell far away": append("S\t0\t1e12\t\t{}"),
    "labels that are none": append('S\t0\t0\t\t{"a":{}}'),
    "no labels": append("S\t0\t0\t\t[]"),
    "bounds that are none": append('D\t2\t0\t["x","histogram",["a"],null,"",null]'),
    "a type that is none": append('D\t2\t0\t["x","thing",null,null,"",null]'),
    "an aggregator that is none": append('D\t2\t0\t["x","gauge",null,null,"","mode"]'),
  };
  test.each(Object.keys(cases))("%s: left out, told once, and begun anew by a successor", async (name) => {
    live(0, 1);
    live(1, 2, dead);
    cases[name]?.(join(folder, "1.v2"));
    const reader = newReader();
    for (let n = 0; n < 3; n++) {
      const { leftOut } = await reader.read(nothing);
      expect(leftOut.corrupt + leftOut.unreadable).toBe(1);
      expect(samples(await read(reader))).toContain('hits_total{kind="a"} 1');
    }
    expect(told).toHaveLength(1);
    live(1, 5);
    expect(samples(await read())).toContain('hits_total{kind="a"} 6');
  });

  test("a cut list costs nothing but what it had", async () => {
    live(0, 1, dead);
    const path = join(folder, "0.v2.1.series");
    const list = readFileSync(path);
    writeFileSync(path, list.subarray(0, list.length - 5));
    live(0, 4);
    expect(samples(await read())).toContain('hits_total{kind="a"} 5');
    expect(told).toEqual([]);
  });

  test("files of another version, or nobody's, are not touched", async () => {
    live(0, 1);
    const others = ["0.values", "0.index", "0.v3.values", "notes.txt"];
    for (const name of others) writeFileSync(join(folder, name), "as it was");
    const { leftOut } = await newReader().read(nothing);
    expect(leftOut).toEqual({ corrupt: 0, version: 3, foreign: 1, unreadable: 0 });
    live(0, 1);
    expect(others.map((name) => readFileSync(join(folder, name), "utf8"))).toEqual(others.map(() => "as it was"));
  });
});

describe("a name that is defined anew", () => {
  const histogram = (buckets: number[]): MetricFamily => ({ name: "it", help: `Of ${buckets.length}.`, type: "histogram", buckets });
  const counter = (...labelNames: string[]): MetricFamily => ({ name: "it", help: "It.", type: "counter", labelNames });
  let lives = 1;
  /** A process of a worker that defines it so, and ends unless it is this one. */
  const define = (index: number, family: MetricFamily, labels = {}, owner: ProcessIdentity = { ...dead, startedAt: lives++ }): void => {
    const meter = new Meter();
    if (family.type === "histogram") meter.histogram(family, labels).observe(1);
    else if (family.type === "counter") meter.counter(family, labels).add(1);
    else meter.gauge(family, labels).set(1);
    const file = open(family.type === "gauge" ? processBase(owner) : index, owner) as ValueFile;
    added(file, meter);
    file.close();
  };

  test("other buckets, other labels, another type: the newest is exported, and nothing twice", async () => {
    define(0, histogram([1, 2]));
    define(1, histogram([1, 2]));
    expect(samples(await read())).toContain("it_count 2");
    define(0, histogram([1, 5]));
    expect(samples(await read())).toEqual([
      'it_bucket{le="1"} 1',
      'it_bucket{le="5"} 1',
      'it_bucket{le="+Inf"} 1',
      "it_sum 1",
      "it_count 1",
    ]);
    define(0, counter("a"), { a: "x" });
    expect(samples(await read())).toEqual(['it{a="x"} 1']);
    define(1, counter("b"), { b: "y" });
    expect(samples(await read())).toEqual(['it{b="y"} 1']);
    define(1, { name: "it", help: "It.", type: "gauge" }, {}, living);
    expect(await read()).toBe("# HELP it It.\n# TYPE it gauge\nit 1\n");
    const { contributions } = await newReader().read(nothing);
    // Two workers' series of two buckets, one of others, one of other labels, and another of others.
    expect((await new Merger().merge(contributions)).leftOut).toEqual(new Map([["it", 5]]));
  });

  test("what lives wins over what has died since, and an upgrade that is taken back goes on where it was", async () => {
    define(0, counter("a"), { a: "x" }, { ...living });
    define(1, counter("a"), { a: "x" });
    expect(samples(await read())).toEqual(['it{a="x"} 2']);
    // Of a newer process, which has gone.
    define(1, counter("b"), { b: "y" }, { pid: living.pid, startedAt: living.startedAt + 7 });
    expect(samples(await read())).toEqual(['it{a="x"} 2']);
    define(1, counter("a"), { a: "x" });
    expect(samples(await read())).toEqual(['it{a="x"} 3']);
  });

  test("another help is no other meaning: the last one is told", async () => {
    define(0, histogram([1]));
    define(0, { ...histogram([1]), help: "Better." });
    expect(await read()).toContain("# HELP it Better.\n");
    expect(samples(await read())).toContain("it_count 2");
  });

  test("meanings that come and go do not pile up; what stays is never less", async () => {
    const sizes: number[] = [];
    for (let n = 0; n < 40; n++) {
      define(0, histogram([1, n + 2]));
      define(0, hits, { kind: "a" });
      expect(samples(await read()), String(n)).toContain(`hits_total{kind="a"} ${n + 1}`);
      sizes.push(readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0));
    }
    expect(readdirSync(folder)).toHaveLength(2);
    expect(Math.max(...sizes.slice(10))).toBeLessThan(1.1 * Math.max(...sizes.slice(0, 10)));
  });
});

const isRoot = process.getuid?.() === 0;

describe.runIf(isRoot)("a disk that is full", () => {
  beforeEach((context) => {
    // Room for some pages: what is full then is really full.
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=128k", "tmpfs", folder]);
    if (mounted.status !== 0) context.skip("this container mounts nothing");
  });
  afterEach(() => void spawnSync("umount", ["-l", folder]));

  const fill = (): void => {
    const fd = openSync(join(folder, "filler"), "w");
    try {
      for (;;) appendFileSync(fd, Buffer.alloc(1024));
    } catch {
      closeSync(fd);
    }
  };

  test("only what is written is exported; all is, when there is room again", async () => {
    const meter = new Meter();
    const file = open(0) as ValueFile;
    const counters = Array.from({ length: 2000 }, (_, n) => {
      const counter = meter.counter(hits, { kind: String(n) });
      return { add: (amount: number) => counter.add(amount), n };
    });
    let given = 0;
    const count = (until: number): void => {
      for (const { add } of counters.slice(0, until)) add(1);
      for (; given < until; given++) file.add(meter.series[given] as Meter["series"][number]);
      file.update(meter);
    };
    const own = async (): Promise<Map<string, number>> => valuesOf((await new Merger().merge([file.contribution])).families);
    const others = async (): Promise<Map<string, number>> =>
      valuesOf((await new Merger().merge((await newReader().read(nothing)).contributions)).families);
    count(100);
    file.write();
    expect(await own()).toEqual(await others());
    fill();
    let last = await own();
    for (const until of [100, 900, 1500, 1500]) {
      count(until);
      try {
        file.write();
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
      }
      const now = await own();
      // Whoever answers a scrape, and whatever becomes of this process, says the same, and never less than before.
      expect(now).toEqual(await others());
      for (const [series, value] of last) expect(now.get(series), series).toBeGreaterThanOrEqual(value);
      last = now;
    }
    expect(last.size).toBeLessThan(1500);
    rmSync(join(folder, "filler"));
    file.write();
    expect(await own()).toEqual(await others());
    expect([...(await own()).values()].reduce((sum, value) => sum + value, 0)).toBe(100 + 100 + 900 + 1500 + 1500);
    file.close();
  });
});

function valuesOf(families: Parameters<typeof print>[0]): Map<string, number> {
  return new Map(samples(print(families, "prometheus")).map((line) => [line.split(" ")[0] ?? "", Number(line.split(" ")[1])]));
}

test("sums are the same whoever merges: in no order do they seem to decrease", async () => {
  const definitions = new Definitions();
  const contribution = (index: number, value: number) => {
    const meter = new Meter();
    meter.counter(hits, {}).add(value);
    const file = ValueFile.inMemory({ definitions, owner: living, base: String(index), nextOrder });
    added(file, meter);
    return file.contribution;
  };
  const [a, b, c] = [contribution(0, 0.1), contribution(1, 0.2), contribution(2, 0.3)] as const;
  const sums = await Promise.all(
    [
      [a, b, c],
      [c, b, a],
      [b, c, a],
    ].map(async (each) => print((await new Merger().merge(each)).families, "prometheus")),
  );
  expect(new Set(sums).size).toBe(1);
});

test("labels and help are escaped, in both formats; OpenMetrics has numbers that look like floats, and exemplars", async () => {
  const meter = new Meter();
  const family = { name: "odd_total", help: 'a "b"\\\n', type: "counter" } as const;
  meter.counter(family, { path: 'c:\\ "x"\n' }).add(1);
  meter.histogram({ ...took, buckets: [1] }, {}).observe(1);
  const file = ValueFile.inMemory({ definitions: new Definitions(), owner: living, base: "0", nextOrder });
  added(file, meter);
  const { families } = await new Merger().merge([file.contribution]);
  expect(print(families, "prometheus")).toContain(
    '# HELP odd_total a "b"\\\\\\n\n# TYPE odd_total counter\nodd_total{path="c:\\\\ \\"x\\"\\n"} 1\n',
  );
  const exemplars = new Map([
    [exemplarKey(file.contribution.list.series[1] as never), { 0: { labels: { trace_id: "a" }, value: 0.5, time: 1.25 } }],
  ]);
  expect(print(families, "openmetrics", exemplars)).toBe(
    [
      '# HELP odd a \\"b\\"\\\\\\n',
      "# TYPE odd counter",
      'odd_total{path="c:\\\\ \\"x\\"\\n"} 1',
      "# HELP took_seconds Took.",
      "# TYPE took_seconds histogram",
      'took_seconds_bucket{le="1.0"} 1 # {trace_id="a"} 0.5 1.250',
      'took_seconds_bucket{le="+Inf"} 1',
      "took_seconds_sum 1",
      "took_seconds_count 1",
      "# EOF",
      "",
    ].join("\n"),
  );
});
