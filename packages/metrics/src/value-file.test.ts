import { appendFileSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Meter } from "@tsserve/server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Definitions } from "./definitions.ts";
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
const open = (slot: number): ValueFile => ValueFile.open(folder, slot, new Definitions(), tell) as ValueFile;
const newReader = (): FolderReader => new FolderReader(folder, new Definitions(), tell);
const read = async (reader = newReader()): Promise<string> =>
  print(new Merger().merge((await reader.read(undefined)).contributions), "prometheus");
const samples = (text: string): string[] => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

/** A process that counts, writes, and ends. */
function live(slot: number, amount: number, owner = living): Meter {
  const meter = new Meter();
  meter.counter(hits, { kind: "a" }).add(amount);
  meter.gauge(level, {}).set(amount);
  meter.histogram(took, {}).observe(amount / 10);
  const file = open(slot);
  file.update(meter);
  file.write(owner);
  file.close();
  return meter;
}

test("what is written can be read, and slots add up", async () => {
  live(0, 1);
  live(1, 5);
  expect(samples(await read())).toEqual([
    'hits_total{kind="a"} 6',
    "level 6",
    'took_seconds_bucket{le="0.1"} 1',
    'took_seconds_bucket{le="1"} 2',
    'took_seconds_bucket{le="+Inf"} 2',
    "took_seconds_sum 0.6",
    "took_seconds_count 2",
  ]);
});

test("a successor goes on where its predecessor ended; gauges of the dead are forgotten", async () => {
  live(0, 3, dead);
  expect(samples(await read())).not.toContain("level 3");
  expect(samples(await read())).toContain('hits_total{kind="a"} 3');
  const size = statSync(join(folder, "0.index")).size;
  live(0, 4, dead);
  // A third one that counts something else.
  const meter = new Meter();
  meter.counter(hits, { kind: "b" }).add(1);
  const file = open(0);
  // Even before its first word, nothing is missing.
  expect(samples(await read())).toContain('hits_total{kind="a"} 7');
  file.update(meter);
  file.write(living);
  expect(samples(await read()).filter((line) => line.startsWith("hits") || line.startsWith("level"))).toEqual([
    'hits_total{kind="a"} 7',
    'hits_total{kind="b"} 1',
  ]);
  expect(statSync(join(folder, "0.index")).size).toBeLessThan(size * 2);
  file.close();
});

test("what is closed writes nothing more, wherever its descriptors lead by then", async () => {
  const meter = new Meter();
  const file = open(0);
  file.close();
  const other = join(folder, "other");
  writeFileSync(other, "untouched");
  const descriptors = [openSync(other, "r+"), openSync(other, "r+")];
  meter.counter(hits, {}).add(1);
  file.update(meter);
  file.write(living);
  file.close();
  expect(readFileSync(other, "utf8")).toBe("untouched");
  for (const descriptor of descriptors) closeSync(descriptor);
});

test("the files of a living process are not taken", async () => {
  const other = identityOf(process.ppid) as ProcessIdentity;
  live(0, 1, other);
  expect(ValueFile.open(folder, 0, new Definitions(), tell)).toBe(undefined);
});

test("a series whose line or value is not there yet does not count", async () => {
  live(0, 1);
  const reader = newReader();
  expect(samples(await read(reader))).toHaveLength(7);
  // Half a line.
  appendFileSync(join(folder, "0.index"), '["new_total","counter",{},"",null]\t6');
  expect(samples(await read(reader))).toHaveLength(7);
  // Its end, but no value.
  appendFileSync(join(folder, "0.index"), '\t["New.",null]\n');
  expect(samples(await read(reader))).toHaveLength(7);
  expect(told).toEqual([]);
});

describe("files that are broken", () => {
  const cases: Record<string, (path: string) => void> = {
    "another head": (path) => writeFileSync(`${path}.values`, Buffer.alloc(200, 7)),
    "no JSON": (path) => appendFileSync(`${path}.index`, '{]\t0\t["",null]\n'),
    "no series": (path) => appendFileSync(`${path}.index`, '["x"]\t1\t["",null]\n'),
    "no cell": (path) => appendFileSync(`${path}.index`, '["x","counter",{},"",null]\t\t["",null]\n'),
    "a cell far away": (path) => appendFileSync(`${path}.index`, '["x","counter",{},"",null]\t1e12\t["",null]\n'),
    "labels that are none": (path) => appendFileSync(`${path}.index`, '["x","counter",{"a":{}},"",null]\t0\t["",null]\n'),
    "bounds that are none": (path) => appendFileSync(`${path}.index`, '["x","histogram",{},"",["a"]]\t0\t["",null]\n'),
  };
  test.each(Object.keys(cases))("%s: left out, told once, and begun anew by a successor", async (name) => {
    live(0, 1);
    live(1, 2, dead);
    cases[name]?.(join(folder, "1"));
    const reader = newReader();
    for (let n = 0; n < 3; n++) {
      const { contributions, leftOut } = await reader.read(undefined);
      expect([contributions.length, leftOut.corrupt]).toEqual([1, 1]);
    }
    expect(told).toHaveLength(1);
    live(1, 5);
    expect(samples(await read())).toContain('hits_total{kind="a"} 6');
  });

  test("a cut index costs nothing but what it had", async () => {
    live(0, 1, dead);
    const index = readFileSync(join(folder, "0.index"));
    writeFileSync(join(folder, "0.index"), index.subarray(0, index.length - 5));
    live(0, 4);
    expect(samples(await read())).toContain('hits_total{kind="a"} 5');
    expect(told).toEqual([]);
  });
});

test("sums are the same whoever merges: in no order do they seem to decrease", async () => {
  const definitions = new Definitions();
  const contribution = (slot: number, value: number) => {
    const meter = new Meter();
    meter.counter(hits, {}).add(value);
    const file = ValueFile.inMemory(definitions);
    file.update(meter);
    return { slot, series: file.series, cells: file.cells, isAlive: true };
  };
  const [a, b, c] = [contribution(0, 0.1), contribution(1, 0.2), contribution(2, 0.3)] as const;
  const sums = [
    [a, b, c],
    [c, b, a],
    [b, c, a],
  ].map((each) => print(new Merger().merge(each), "prometheus"));
  expect(new Set(sums).size).toBe(1);
});

test("labels and help are escaped, in both formats", async () => {
  const meter = new Meter();
  const family = { name: "odd_total", help: 'a "b"\\\n', type: "counter" } as const;
  const definitions = new Definitions();
  meter.counter(family, { path: 'c:\\ "x"\n' }).add(1);
  const file = ValueFile.inMemory(definitions);
  file.update(meter);
  const merged = new Merger().merge([{ slot: 0, series: file.series, cells: file.cells, isAlive: true }]);
  expect(print(merged, "prometheus")).toBe(
    '# HELP odd_total a "b"\\\\\\n\n# TYPE odd_total counter\nodd_total{path="c:\\\\ \\"x\\"\\n"} 1\n',
  );
  expect(print(merged, "openmetrics")).toBe(
    '# HELP odd a \\"b\\"\\\\\\n\n# TYPE odd counter\nodd_total{path="c:\\\\ \\"x\\"\\n"} 1\n# EOF\n',
  );
});
