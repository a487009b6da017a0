import { describe, expect, expectTypeOf, test } from "vitest";
import { parseConfig, unknownKeys } from "./parse-config.ts";
import { defaultFromEnv, dictOf, fallback, optional, tupleOf } from "./parsers/combined.ts";
import { endpoint, type Endpoint } from "./parsers/endpoint.ts";
import { float, integer } from "./parsers/number.ts";
import { boolean, oneOf, string } from "./parsers/text.ts";
import { timespan } from "./parsers/timespan.ts";
import { ConfigurationError } from "./problem.ts";

function problems(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return undefined;
}

test("types follow from the spec, specs nest by dots, and what is read is frozen", () => {
  const raw = { name: "x", "cache.ttl": "5 minutes", "cache.hosts": "a:1, b:2", "cache.mode": "fast", extra: "left alone" };
  const settings = parseConfig(raw, {
    name: string,
    cache: {
      ttl: timespan,
      hosts: tupleOf(endpoint),
      mode: oneOf({ fast: 1, safe: 2 }),
      size: optional(integer, 10),
      note: optional(string),
    },
  });
  expectTypeOf(settings.cache.ttl).toEqualTypeOf<number>();
  expectTypeOf(settings.cache.hosts).toEqualTypeOf<readonly Endpoint[]>();
  expectTypeOf(settings.cache.mode).toEqualTypeOf<1 | 2>();
  expectTypeOf(settings.cache.note).toEqualTypeOf<string | undefined>();
  expect(settings).toEqual({
    name: "x",
    cache: {
      ttl: 300_000,
      hosts: [
        { host: "a", port: 1 },
        { host: "b", port: 2 },
      ],
      mode: 1,
      size: 10,
      note: undefined,
    },
  });
  expect([settings, settings.cache, settings.cache.hosts].every(Object.isFrozen)).toBe(true);
});

test("all problems come at once, with key, message and value", () => {
  expect(problems(() => parseConfig({ a: "x", c: "" }, { a: integer, b: string, c: string, d: { e: boolean } }))).toEqual([
    { key: "a", message: "expected an integer", value: "x" },
    { key: "b", message: "a value is required, but the key is missing", value: undefined },
    { key: "c", message: "a value is required, but it is empty", value: undefined },
    { key: "d.e", message: "a value is required, but the key is missing", value: undefined },
  ]);
});

describe("a default", () => {
  test("replaces an absent or empty value, never a bad one", () => {
    const spec = { a: optional(integer, 5) };
    expect(parseConfig({}, spec)).toEqual({ a: 5 });
    expect(parseConfig({ a: "" }, spec)).toEqual({ a: 5 });
    expect(problems(() => parseConfig({ a: "x" }, spec))).toMatchObject([{ key: "a" }]);
  });

  test("from the environment", () => {
    const spec = { token: defaultFromEnv(integer, "TOKEN") };
    expect(parseConfig({ token: "1" }, spec, { env: { TOKEN: "2" } })).toEqual({ token: 1 });
    expect(parseConfig({}, spec, { env: { TOKEN: "2" } })).toEqual({ token: 2 });
    expect(problems(() => parseConfig({}, spec, { env: { TOKEN: "x" } }))).toMatchObject([
      { key: "token", message: "expected an integer in the environment variable TOKEN" },
    ]);
    expect(problems(() => parseConfig({}, spec, { env: {} }))).toMatchObject([{ key: "token" }]);
  });
});

describe("dictOf", () => {
  test("a parser takes all keys below, dots kept", () => {
    expect(parseConfig({ "pop.a": "1", "pop.b.c": "2" }, { pop: dictOf(integer) })).toEqual({ pop: { a: 1, "b.c": 2 } });
    expect(parseConfig({}, { pop: dictOf(integer) })).toEqual({ pop: {} });
  });

  test("a spec takes the next part of the key", () => {
    expect(
      parseConfig({ "p.x.size": "1", "p.x.on": "true", "p.y.size": "2", "p.y.on": "false" }, { p: dictOf({ size: integer, on: boolean }) }),
    ).toEqual({
      p: { x: { size: 1, on: true }, y: { size: 2, on: false } },
    });
    expect(problems(() => parseConfig({ "p.x.size": "1" }, { p: dictOf({ size: integer, on: boolean }) }))).toMatchObject([
      { key: "p.x.on" },
    ]);
  });
});

test("a dictionary of dictionaries takes part after part", () => {
  const raw = { "x.one.a": "1", "x.one.b.c": "2", "x.two.a": "3" };
  expect(parseConfig(raw, { x: dictOf(dictOf(integer)) })).toEqual({ x: { one: { a: 1, "b.c": 2 }, two: { a: 3 } } });
  expect(parseConfig(raw, { x: dictOf(optional(dictOf(integer))) })).toEqual({ x: { one: { a: 1, "b.c": 2 }, two: { a: 3 } } });
});

describe("names that every object has", () => {
  const names = ["constructor", "toString", "__proto__", "hasOwnProperty", "valueOf"];

  test("are absent unless somebody wrote them", () => {
    for (const name of names) {
      const spec = Object.fromEntries([[name, optional(string, "absent")]]);
      expect(Object.values(parseConfig({}, spec))).toEqual(["absent"]);
      expect(parseConfig(Object.fromEntries([[name, "here"]]), spec)).toEqual(Object.fromEntries([[name, "here"]]));
      expect(parseConfig({}, { d: dictOf(string) }).d[name]).toBeUndefined();
      expect(problems(() => parseConfig({}, { a: defaultFromEnv(string, name) }, { env: {} }))).toHaveLength(1);
    }
  });

  test("are unknown keys like any other", () => {
    for (const name of names) expect(unknownKeys(Object.fromEntries([[name, "x"]]), { a: string })).toHaveLength(1);
  });
});

test("fallback tries one after the other", () => {
  const parser = fallback(integer, fallback(float, string));
  expect([parser("1"), parser("1.5"), parser("x")]).toEqual([1, 1.5, "x"]);
  expect(() => fallback(integer, boolean)("x")).toThrow("expected an integer; or expected true or false");
});

test("tupleOf drops blanks and empty items", () => {
  expect(tupleOf(string)("one, two ,,three,")).toEqual(["one", "two", "three"]);
  expect(tupleOf(string)(",")).toEqual([]);
});

test("unknown keys, with the nearest known one", () => {
  expect(unknownKeys({ drain_tiem: "1", "cache.x": "1", other: "1" }, { drain_time: timespan, cache: dictOf(string) })).toMatchObject([
    { key: "drain_tiem", message: 'unknown key, did you mean "drain_time"?' },
    { key: "other" },
  ]);
});

test("a parser of one's own may throw anything", () => {
  const odd = (): never => {
    // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error -- users do
    throw "odd";
  };
  expect(problems(() => parseConfig({ a: "1" }, { a: odd }))).toEqual([{ key: "a", message: "odd", value: "1" }]);
});
