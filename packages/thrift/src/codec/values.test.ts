import { describe, expect, test } from "vitest";
import { loadIdl } from "../idl/load-idl.ts";
import type { Idl, Type } from "../idl/model.ts";
import { exceptionClassOf } from "./exception-classes.ts";
import { arrayOf, byId, checkUnion, constantMaker, describeType, mapOf, safeNumber } from "./values.ts";

function load(text: string): Idl {
  return loadIdl("values.thrift", { locate: (path) => path, read: () => text });
}

const type = (kind: string): Type => ({ kind }) as Type;

describe("what may be given for a map", () => {
  test.each<[unknown, string, unknown[]]>([
    [new Map([[1, 2]]), "i32", [[1, 2]]],
    [{ a: 1 }, "string", [["a", 1]]],
    [{ 1: "x", "-2": "y" }, "i32", [[1, "x"], [-2, "y"]]], // prettier-ignore
    [{ 5: "x" }, "i64", [[5n, "x"]]],
    [Object.assign(Object.create(null) as object, { a: 1 }), "string", [["a", 1]]],
    [{}, "enum", []],
  ])("%j with keys that are %s", (value, key, entries) => expect([...mapOf(value, type(key), "S.m")]).toEqual(entries));

  test.each<[unknown, string]>([
    [undefined, "string"],
    [null, "string"],
    [5, "string"],
    ["text", "string"],
    [{ a: 1 }, "bool"],
    [{ a: 1 }, "double"],
    [{ a: 1 }, "struct"],
  ])("is not %j with keys that are %s", (value, key) =>
    expect(() => mapOf(value, type(key), "S.m")).toThrow(/^S\.m: expected a [mM]ap, found /),
  );
});

test("what may be given for a list or a set", () => {
  const array = [1, 2];
  expect(arrayOf(array, "S.l", "a list")).toBe(array);
  expect(arrayOf(new Set([1]), "S.l", "a list")).toEqual([1]);
  expect(arrayOf(new Uint8Array([7]), "S.l", "a list")).toEqual([7]);
  for (const wrong of [undefined, null, 5, "text", {}, () => []])
    expect(() => arrayOf(wrong, "S.l", "a list")).toThrow(/^S\.l: expected a list, found /);
});

describe("constants", () => {
  const idl = load(`
struct P { 1: i32 x = 1, 2: list<i32> l = [1], 3: optional string s }
const P POINT = { "x": 5 }
const map<string, set<i64>> SETS = { "a": [1, 2] }
const binary BYTES = "ab"
const bool YES = true const double D = 2 const i64 LONG = 9223372036854775807`);
  const make = (name: string, i64: "bigint" | "number" = "bigint"): unknown => {
    const constant = idl.constants.get(name);
    return constant && constantMaker(constant.value, constant.type, i64)();
  };

  test("are values of their types", () => {
    expect(make("POINT")).toEqual({ x: 5, l: [1], s: undefined });
    expect(make("SETS")).toEqual(new Map([["a", new Set([1n, 2n])]]));
    expect(make("SETS", "number")).toEqual(new Map([["a", new Set([1, 2])]]));
    expect([make("BYTES"), make("YES"), make("D"), make("LONG")]).toEqual([Buffer.from("ab"), true, 2, 2n ** 63n - 1n]);
  });

  test("are new at each call: what one has changed, the next does not see", () => {
    for (const name of ["POINT", "SETS", "BYTES"]) expect(make(name)).not.toBe(make(name));
    const constant = idl.constants.get("POINT");
    if (constant === undefined) throw new Error("POINT is not there");
    const maker = constantMaker(constant.value, constant.type, "bigint");
    (maker() as { l: number[] }).l.push(2);
    expect(maker()).toEqual({ x: 5, l: [1], s: undefined });
  });

  test("that are defaults of an exception are there without its fields, and new for each", () => {
    const struct = load("exception E { 1: list<i32> l = [1], 2: string s }").structs.get("E");
    const Made = exceptionClassOf(struct as never, "bigint") as new (fields?: object) => Error & { l: number[]; s?: string };
    const first = new Made();
    first.l.push(2);
    expect([new Made().l, new Made({ l: [] }).l, new Made({ l: undefined }).l, new Made().s]).toEqual([[1], [], [1], undefined]);
    expect(Object.keys(first)).toEqual(["l", "s"]);
    expect([first.name, first instanceof Error, String(first.stack).includes("values.test")]).toEqual(["E", true, true]);
  });
});

test("a union has exactly one field", () => {
  const struct = load("union U { 1: i32 a, 2: i32 b, 3: string toString }").structs.get("U") as never;
  for (const one of [{ a: 0 }, { b: 1, a: undefined }, { a: null, b: 5 }, { toString: "x" }])
    expect(() => checkUnion(struct, one)).not.toThrow();
  expect(() => checkUnion(struct, {})).toThrow("U: expected a union with one field, found undefined");
  expect(() => checkUnion(struct, { a: 1, b: 2 })).toThrow('U: expected a union with one field, found "a, b"');
});

test("a number holds an i64 up to 53 bits", () => {
  expect([safeNumber(0, -1), safeNumber(-1, -1), safeNumber(0x1f_ffff, -1), safeNumber(-0x20_0000, 1)]).toEqual([
    2 ** 32 - 1,
    -1,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
  ]);
  for (const [high, low] of [[0x20_0000, 0], [-0x20_0000, 0], [0x7fff_ffff, -1]] as const) expect(() => safeNumber(high, low)).toThrow("an i64 is more than a number can hold"); // prettier-ignore
});

test("types are called what a reader calls them; fields are ordered by their ids", () => {
  expect(["i32", "i64", "bool", "binary", "list", "uuid"].map((kind) => describeType(type(kind)))).toEqual([
    "an i32",
    "an i64 (a bigint or a safe integer)",
    "a bool",
    "bytes or a text",
    "a list",
    "a uuid",
  ]);
  const fields = [{ id: 3 }, { id: -1 }, { id: 1 }];
  expect([byId(fields).map(({ id }) => id), fields.map(({ id }) => id)]).toEqual([[-1, 1, 3], [3, -1, 1]]); // prettier-ignore
});
