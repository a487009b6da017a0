import { describe, expect, test } from "vitest";
import {
  eventsName,
  exemplarsName,
  fleetName,
  formVersion,
  listName,
  orderOf,
  parseFileName,
  pointsName,
  processBase,
  processOf,
  recordName,
  unfinished,
  valuesName,
  workerBase,
} from "./file-names.ts";

const bases = [
  workerBase(0),
  workerBase(7),
  workerBase(999_999),
  processBase({ pid: 4711, startedAt: 123_456 }),
  processBase({ pid: 1, startedAt: 0 }),
];
const names = {
  values: [valuesName],
  series: [(base: string) => listName(base, 0), (base: string) => listName(base, 12)],
  exemplars: [exemplarsName],
  points: [pointsName],
  events: [eventsName],
  record: [recordName],
} as const;

describe("a name", () => {
  test.each(Object.entries(names))("of %s that is made is read again", (kind, makers) => {
    for (const base of bases)
      for (const make of makers) {
        expect(parseFileName(make(base))).toEqual({ kind, base });
        expect(parseFileName(unfinished(make(base)))).toEqual({ kind: "unfinished", base: "" });
      }
  });

  test("is nobody else's, and made of nothing that a path could be", () => {
    const all = bases.flatMap((base) => Object.values(names).flatMap((makers) => makers.map((make) => make(base))));
    expect(new Set(all).size).toBe(all.length);
    for (const name of all) expect(name).toMatch(/^[\w.-]+$/);
  });

  test("of the fleet is one", () => {
    expect(parseFileName(fleetName)).toEqual({ kind: "fleet", base: "" });
    expect(parseFileName(unfinished(fleetName))).toEqual({ kind: "unfinished", base: "" });
  });

  test.each([
    "0.values",
    "12.index",
    "3.blocks.json",
    `0.v${formVersion + 1}.values`,
    `4711-1.v${formVersion - 1}.events.json`,
    `7.v${formVersion + 10}.something.else`,
    `0.v${formVersion}.something`,
  ])("%s is another version's: left alone", (name) => {
    expect(parseFileName(name)).toEqual({ kind: "version", base: "" });
  });

  test.each([
    "",
    ".new",
    "readme.txt",
    "readme.txt.new",
    "0",
    "values",
    "-1.values",
    "1234567.values",
    "a.v2.values",
    ` 0.v${formVersion}.values`,
    `x0.v${formVersion}.values`,
    "../0.v2.values",
    "0/v2.values",
    "master.json.bak",
    "Master.json",
  ])("%j is a stranger's", (name) => {
    expect(parseFileName(name)).toEqual({ kind: "foreign", base: "" });
  });
});

test.each([
  ["0", undefined],
  ["4711-123456", { pid: 4711, startedAt: 123_456 }],
])("whose own file %s is: %j", (base, expected) => {
  expect(processOf({ kind: "values", base })).toEqual(expected);
});

test("workers come by their indexes, and processes after all of them, by their pids", () => {
  const wanted = ["0", "2", "10", "999999", "1-5", "20-1", "4711-123456"];
  expect(wanted.toReversed().toSorted((a, b) => orderOf(a) - orderOf(b))).toEqual(wanted);
});
