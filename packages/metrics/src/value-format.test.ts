import type { MetricFamily } from "@tsserve/server";
import { describe, expect, test } from "vitest";
import { Definitions, definitionText, seriesText } from "./definitions.ts";
import {
  bornAt,
  checkHead,
  CorruptFileError,
  emptyList,
  head,
  lineOf,
  magic,
  ownerOf,
  parseLine,
  type SeriesList,
} from "./value-format.ts";

const family: MetricFamily = { name: "took", help: "How long.", type: "histogram", buckets: [1, 2] };
const definition = lineOf("D", 0, 0, definitionText(family)).trimEnd();
const series = lineOf("S", 0, 1, seriesText("", { a: "x\ty\n" })).trimEnd();

function read(...lines: readonly string[]): SeriesList {
  const list = emptyList();
  const definitions = new Definitions();
  for (const line of lines) parseLine(line, list, definitions);
  return list;
}

describe("a list", () => {
  test("is read as it was written, whatever labels hold", () => {
    const list = read(definition, series);
    expect(list.definitions).toMatchObject([{ family, id: 0, cell: 0 }]);
    expect(list.series).toMatchObject([{ labels: { a: "x\ty\n" }, suffix: "", cells: 4, isGauge: false }]);
    expect(list.cells).toEqual([1]);
  });

  test("may say a definition again, with another help", () => {
    const again = lineOf("D", 0, 0, definitionText({ ...family, help: "Seconds." })).trimEnd();
    expect(read(definition, again).definitions).toMatchObject([{ family: { help: "Seconds." } }]);
  });

  test.each([
    ["nothing", ""],
    ["half a line", definition.slice(0, 20)],
    ["a kind that is not known", definition.replace("D", "X")],
    ["a number that leaves others out", lineOf("D", 3, 0, definitionText(family))],
    ["a series of no definition", lineOf("S", 1, 1, seriesText("", {}))],
    ["a cell that is none", series.replace("\t1\t", "\t1.5\t")],
    ["a cell below zero", series.replace("\t1\t", "\t-1\t")],
    ["a cell beyond all", series.replace("\t1\t", "\t999999999\t")],
    ["labels that are none", lineOf("S", 0, 1, "\t[1]")],
    ["a label that is no text", lineOf("S", 0, 1, '\t{"a":1}')],
    ["a series without labels", lineOf("S", 0, 1, "_sum")],
    ["another meaning in the place of a definition", lineOf("D", 0, 0, definitionText({ ...family, buckets: [1] }))],
  ])("with %s is none of ours", (_, line) => {
    expect(() => read(definition, line.trimEnd())).toThrow(CorruptFileError);
  });
});

describe("the head of the cells", () => {
  const cellsOf = (change: Partial<Record<keyof typeof head, number>>): Float64Array => {
    const cells = new Float64Array(head.length);
    for (const [key, value] of Object.entries({ magic, pid: 7, startedAt: 9, cells: 3, ...change }))
      cells[head[key as keyof typeof head]] = value;
    return cells;
  };

  test("says whose they are", () => {
    const cells = cellsOf({});
    checkHead(cells);
    expect(ownerOf(cells)).toEqual({ pid: 7, startedAt: 9 });
  });

  test.each([
    ["of another version", cellsOf({ magic: magic + 1 })],
    ["with a part of a cell", cellsOf({ cells: 1.5 })],
    ["with fewer cells than none", cellsOf({ cells: -1 })],
    ["with more cells than there may be", cellsOf({ cells: 1e9 })],
    ["with no number of cells", cellsOf({ cells: Number.NaN })],
    ["cut short", cellsOf({}).subarray(0, head.length - 1)],
    ["of nothing", new Float64Array(0)],
  ])("%s is none of ours", (_, cells) => {
    expect(() => checkHead(cells)).toThrow(CorruptFileError);
  });
});

test("the later definition is the younger: of one process by its order, of two by their starts", () => {
  // Ticks of the machine after a year.
  const start = 365 * 86_400 * 100;
  const born = [
    bornAt({ pid: 1, startedAt: start }, 0),
    bornAt({ pid: 1, startedAt: start }, 1),
    bornAt({ pid: 1, startedAt: start }, 1000),
    bornAt({ pid: 2, startedAt: start + 1 }, 0),
  ];
  expect(born).toEqual(born.toSorted((a, b) => a - b));
  expect(new Set(born).size).toBe(4);
  expect(Math.floor(born[2] ?? 0)).toBe(start);
});
