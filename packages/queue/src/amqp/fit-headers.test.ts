import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { fitHeaders, leftOutHeader } from "./fit-headers.ts";

// What decides is amqplib's own encoder, which it does not export.
const require = createRequire(import.meta.url);
const { encodeTable } = require(join(dirname(require.resolve("amqplib")), "lib/codec.js")) as {
  encodeTable(buffer: Buffer, table: object, offset: number): number;
};
const encoded = (table: object): number => encodeTable(Buffer.alloc(65_536), table, 0);

const ours = { "x-retry-count": 2, "x-last-error": "Error: no luck", "x-none": undefined };

test("what fits is all there", () => {
  const senders = { a: "b", n: 1.5, t: { "!": "timestamp", value: 1_700_000_000 }, deep: { list: [1, "2", null, true, Buffer.from("x")] } };
  expect(fitHeaders(senders, ours)).toEqual({ ...senders, ...ours });
});

test("ours win", () => {
  expect(fitHeaders({ "x-retry-count": 1, a: "b" }, ours)).toEqual({ a: "b", ...ours });
});

describe("what can't be written again is left out and named", () => {
  test.each([
    ["no number", Number.NaN],
    ["less than all", -Infinity],
    ["a number below 64 bits", -(2 ** 70)],
    ["a large one that is no integer", 2 ** 51 + 0.5],
    ["a time beyond 64 bits", { "!": "timestamp", value: 2 ** 64 }],
    ["a table with a type that is none", { "!": "no type", value: 1 }],
    ["one within a list within a table", { list: [1, { deep: Number.NaN }] }],
    ["a name of 255 bytes that were no UTF-8, in a table", { ["\uFFFD".repeat(255)]: 1 }],
  ])("%s", (_what, value) => {
    expect(() => encoded({ value })).toThrow();
    const headers = fitHeaders({ value, kept: "yes" }, ours);
    expect(headers).toEqual({ kept: "yes", [leftOutHeader]: "value", ...ours });
    encoded(headers);
  });

  test.each([
    [100, true],
    [101, false],
    [4000, false],
  ])("tables, or lists, of %i levels: kept %s", (levels, isKept) => {
    for (const wrap of [(inner: unknown) => ({ inner }), (inner: unknown) => [inner]]) {
      let value: unknown = 1;
      for (let level = 0; level < levels; level += 1) value = wrap(value);
      const headers = fitHeaders({ value }, ours);
      expect("value" in headers).toBe(isKept);
      encoded(headers);
    }
  });

  test("a name that is too long by now", () => {
    const name = "\uFFFD".repeat(86);
    expect(() => encoded({ [name]: 1 })).toThrow();
    const headers = fitHeaders({ [name]: 1, kept: "yes" }, ours);
    expect(headers).toEqual({ kept: "yes", [leftOutHeader]: name, ...ours });
    encoded(headers);
  });

  test("the largest first, as long as there is no room", () => {
    const senders = { large: "x".repeat(50_000), small: "y".repeat(100), larger: "ä".repeat(30_000), middle: "z".repeat(5000) };
    expect(() => encoded(senders)).toThrow("exceeds");
    const headers = fitHeaders(senders, ours);
    expect(headers[leftOutHeader]).toBe("larger");
    expect(Object.keys(headers)).toEqual(expect.arrayContaining(["large", "middle", "small"]));
    encoded(headers);
  });
});

test("whatever is sent: a copy can be written, has ours, and says what it lacks", () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * below);
  };
  const odd = [
    Number.NaN,
    -Infinity,
    Infinity,
    2 ** 53,
    -(2 ** 63),
    0.1,
    -0,
    null,
    true,
    { "!": "decimal", value: { places: 2, digits: 5 } },
  ];
  const draw = (depth: number): unknown => {
    const kind = random(depth > 2 ? 3 : 5);
    if (kind === 0) return "é".repeat(random(random(4) === 0 ? 40_000 : 50));
    if (kind === 1) return odd[random(odd.length)];
    if (kind === 2) return Buffer.alloc(random(5000));
    const parts = Array.from({ length: random(6) }, () => draw(depth + 1));
    return kind === 3 ? parts : Object.fromEntries(parts.map((part, n) => [`key ${n}`, part]));
  };
  let cut = 0;
  for (let round = 0; round < 500; round++) {
    const senders = Object.fromEntries(Array.from({ length: random(random(10) === 0 ? 400 : 12) }, (_, n) => [`header-${n}`, draw(0)]));
    const headers = fitHeaders(senders, ours);
    encoded(headers);
    expect(headers).toMatchObject({ "x-retry-count": 2, "x-last-error": "Error: no luck" });
    const lacks = Object.keys(senders).filter((name) => !(name in headers));
    expect(headers[leftOutHeader] !== undefined).toBe(lacks.length > 0);
    if (lacks.length > 0) cut += 1;
  }
  expect(cut).toBeGreaterThan(20);
});
