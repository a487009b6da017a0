import type { Aggregator, Labels, MetricFamily } from "@tsserve/server";
import { describe, expect, test } from "vitest";
import { Definitions, definitionText, seriesText } from "./definitions.ts";
import { Merger, type Merged } from "./merge.ts";
import { bornAt, emptyList, lineOf, parseLine, type Contribution } from "./value-format.ts";

interface Process {
  readonly startedAt?: number;
  readonly isAlive?: boolean;
  readonly series: readonly { readonly family: MetricFamily; readonly labels?: Labels; readonly values: readonly number[] }[];
}

const definitions = new Definitions();

/** What a process wrote, as the lines and cells of a file. */
function contribution({ startedAt = 100, isAlive = true, series }: Process, order: number): Contribution {
  const owner = { pid: order + 1, startedAt };
  const list = emptyList();
  const values: number[] = [];
  const ids = new Map<string, number>();
  const idOf = (family: MetricFamily): number => {
    const text = definitionText(family);
    const known = ids.get(text);
    if (known !== undefined) return known;
    const id = ids.size;
    ids.set(text, id);
    parseLine(lineOf("D", id, values.push(bornAt(owner, id)) - 1, text).trimEnd(), list, definitions);
    return id;
  };
  for (const { family, labels = {}, values: cells } of series) {
    const id = idOf(family);
    parseLine(lineOf("S", id, values.length, seriesText("", labels)).trimEnd(), list, definitions);
    values.push(...cells);
  }
  return { order, list, values: Float64Array.from(values), owner, isAlive };
}

const merge = (...processes: readonly Process[]): Promise<Merged> => new Merger().merge(processes.map(contribution));

/** `name{labels}` and the values of each series. */
const valuesOf = ({ families }: Merged): Record<string, number[]> =>
  Object.fromEntries(
    families.flatMap(({ family, series }) =>
      series.map(({ labels, values }) => [`${family.name}${JSON.stringify(labels)}`, [...values]] as const),
    ),
  );

const counter = (name: string): MetricFamily => ({ name, help: "", type: "counter" });
const gauge = (name: string, aggregator?: Aggregator): MetricFamily => ({
  name,
  help: "",
  type: "gauge",
  ...(aggregator && { aggregator }),
});
const histogram = (name: string, buckets: readonly number[]): MetricFamily => ({ name, help: "", type: "histogram", buckets });

describe("what several processes count", () => {
  test("is added, of the dead too, series by series", async () => {
    const family = counter("requests_total");
    const merged = await merge(
      { series: [{ family, labels: { a: "x" }, values: [3] }] },
      {
        isAlive: false,
        series: [
          { family, labels: { a: "y" }, values: [5] },
          { family, labels: { a: "x" }, values: [4] },
        ],
      },
    );
    expect(valuesOf(merged)).toEqual({ 'requests_total{"a":"x"}': [7], 'requests_total{"a":"y"}': [5] });
  });

  test("histograms are added bucket by bucket", async () => {
    const family = histogram("took", [1, 2]);
    const merged = await merge({ series: [{ family, values: [1, 0, 2, 9.5] }] }, { series: [{ family, values: [0, 4, 1, 7] }] });
    expect(valuesOf(merged)).toEqual({ "took{}": [1, 4, 3, 16.5] });
  });

  test("is the same to the last bit in whatever order the files are found", async () => {
    const family = counter("seconds_total");
    const processes = [0.1, 0.2, 0.3, 1e16, -1e16].map((value): Process => ({ series: [{ family, values: [value] }] }));
    const found = processes.map(contribution);
    const sums = [found, found.toReversed(), [found[2], found[4], found[0], found[3], found[1]] as Contribution[]].map(async (each) =>
      valuesOf(await new Merger().merge(each)),
    );
    const [first, ...others] = await Promise.all(sums);
    for (const other of others) expect(other).toEqual(first);
  });

  test("a merger that goes on gives what a new one gives, while files grow, come, go, and their processes die", async () => {
    const known = new Merger();
    const families = [counter("a_total"), gauge("g", "max"), histogram("h", [1]), gauge("o", "omit"), gauge("m", "average")];
    const files = new Map<number, { startedAt: number; isAlive: boolean; made: Contribution }>();
    const make = (n: number, round: number, length: number): Contribution => {
      const series = Array.from({ length }, (_, place) => {
        const family = families[place % families.length] ?? counter("a_total");
        const values = Array.from({ length: family.type === "histogram" ? 3 : 1 }, (__, cell) => round * 0.1 + place + cell + n);
        return { family, labels: { n: String(place % 7) + (place > 20 ? "x" : "") }, values };
      });
      return contribution({ startedAt: 100 + n, isAlive: true, series }, n);
    };
    for (let round = 0; round < 40; round++) {
      const n = (round * 7) % 5;
      const before = files.get(n);
      if (round % 11 === 10) files.delete(n);
      else {
        const made = make(n, round, 5 + ((round * 3) % 30));
        // The same list, grown, as the reader of the folder gives it.
        if (before !== undefined && before.made.list.series.length < made.list.series.length && round % 3 !== 0) {
          const { list } = before.made;
          list.definitions.splice(0, list.definitions.length, ...made.list.definitions);
          list.series.push(...made.list.series.slice(list.series.length));
          list.cells.splice(0, list.cells.length, ...made.list.cells);
          files.set(n, { startedAt: 100 + n, isAlive: true, made: { ...made, list } });
        } else files.set(n, { startedAt: 100 + n, isAlive: round % 4 !== 0, made });
      }
      const all = [...files.values()].map(({ made, isAlive }) => ({ ...made, isAlive }));
      expect(valuesOf(await known.merge(all))).toEqual(valuesOf(await new Merger().merge(all)));
    }
  });

  test("a series that is not written yet has no value; one merge leaves nothing to the next", async () => {
    const family = counter("a_total");
    const whole = contribution({ series: [{ family, values: [2] }] }, 0);
    const cut = contribution({ series: [{ family, values: [3] }] }, 1);
    const merger = new Merger();
    const short = { ...cut, values: cut.values.subarray(0, 1) };
    expect(valuesOf(await merger.merge([whole, short]))).toEqual({ "a_total{}": [2] });
    expect(valuesOf(await merger.merge([whole, cut]))).toEqual({ "a_total{}": [5] });
    expect(valuesOf(await merger.merge([cut]))).toEqual({ "a_total{}": [3] });
  });
});

describe("gauges", () => {
  test.each([
    { aggregator: undefined, expected: 12 },
    { aggregator: "sum", expected: 12 },
    { aggregator: "min", expected: 1 },
    { aggregator: "max", expected: 8 },
    { aggregator: "average", expected: 4 },
    { aggregator: "first", expected: 3 },
    { aggregator: "omit", expected: undefined },
  ] as const)("of living processes become one by $aggregator: $expected", async ({ aggregator, expected }) => {
    const family = gauge("level", aggregator);
    const merged = await merge(...[3, 8, 1].map((value) => ({ series: [{ family, values: [value] }] })));
    expect(valuesOf(merged)).toEqual(expected === undefined ? {} : { "level{}": [expected] });
  });

  test("of the dead go, and what has no value counts for nothing", async () => {
    const family = gauge("level", "min");
    const merged = await merge(
      { series: [{ family, values: [Number.NaN] }] },
      { isAlive: false, series: [{ family, values: [1] }] },
      { series: [{ family, values: [6] }] },
    );
    expect(valuesOf(merged)).toEqual({ "level{}": [6] });
  });
});

describe("a name that means several things", () => {
  const [old, young] = [histogram("took", [1]), histogram("took", [1, 2])];

  test.each([
    { what: "the younger process of two that live", olderIsAlive: true, youngerIsAlive: true, exported: "young" },
    { what: "the one that lives, though it is older", olderIsAlive: true, youngerIsAlive: false, exported: "old" },
    { what: "the younger of two that are dead", olderIsAlive: false, youngerIsAlive: false, exported: "young" },
  ])("is what it means to $what", async ({ olderIsAlive, youngerIsAlive, exported }) => {
    const merged = await merge(
      {
        startedAt: 100,
        isAlive: olderIsAlive,
        series: [
          { family: old, values: [1, 0, 0.5] },
          { family: old, labels: { a: "x" }, values: [1, 0, 0.5] },
        ],
      },
      { startedAt: 200, isAlive: youngerIsAlive, series: [{ family: young, values: [2, 3, 0, 4] }] },
    );
    expect(valuesOf(merged)["took{}"]).toEqual(exported === "young" ? [2, 3, 0, 4] : [1, 0, 0.5]);
    // What does not fit is counted, not exported.
    expect(merged.leftOut).toEqual(new Map([["took", exported === "young" ? 2 : 1]]));
  });

  test.each([
    { one: histogram("took", [1]), other: counter("took_count") },
    { one: histogram("took", [1]), other: gauge("took_bucket") },
    { one: counter("took_sum"), other: histogram("took", [1]) },
  ])("no sample of $one.name and $other.name has the name of another", async ({ one, other }) => {
    const zeros = ({ type, buckets }: MetricFamily): number[] => (type === "histogram" ? [...(buckets ?? []), 0, 0].map(() => 0) : [0]);
    const merged = await merge(
      { startedAt: 100, series: [{ family: one, values: zeros(one) }] },
      { startedAt: 200, series: [{ family: other, values: zeros(other) }] },
    );
    expect(merged.families.map(({ family }) => family.name)).toEqual([other.name]);
    expect([...merged.leftOut.keys()]).toEqual([one.name]);
  });
});
