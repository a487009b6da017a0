import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { typedHeaders } from "./typed-headers.ts";

// What writes and reads is amqplib's own code, which it does not export.
const require = createRequire(import.meta.url);
const { encodeTable, decodeFields } = require(join(dirname(require.resolve("amqplib")), "lib/codec.js")) as {
  encodeTable(buffer: Buffer, table: object, offset: number): number;
  decodeFields(bytes: Buffer): Record<string, unknown>;
};
function sent(headers: Record<string, unknown>): Record<string, unknown> {
  const buffer = Buffer.alloc(65_536);
  return decodeFields(buffer.subarray(4, encodeTable(buffer, typedHeaders(headers), 0)));
}

const date = new Date("2023-11-14T22:13:20.123Z");
const time = { "!": "timestamp", value: 1_700_000_000 };

test.each<[unknown, unknown]>([
  ["text", "text"],
  [1.5, 1.5],
  [true, true],
  [null, null],
  [Buffer.from("x"), Buffer.from("x")],
  [new Uint8Array([1, 2]), Buffer.from([1, 2])],
  [new Uint8Array([1, 2, 3]).subarray(1), Buffer.from([2, 3])],
  [12n, 12],
  [-(2n ** 40n), -(2 ** 40)],
  [date, time],
  [
    [1n, date, ["a"]],
    [1, time, ["a"]],
  ],
  [
    { at: date, deep: { n: 1n } },
    { at: time, deep: { n: 1 } },
  ],
  [new Map<string, unknown>([["at", date]]), { at: time }],
  [new Set([1n, "a"]), [1, "a"]],
  [{ "!": "float", value: 0.5 }, 0.5],
])("%o is read as %o", (value, read) => expect(sent({ value, gone: undefined })).toEqual({ value: read }));

test.each([2n ** 64n, new Date(Number.NaN), new Date(-1000), Symbol("s"), () => undefined])("%o is no header", (value) => {
  expect(() => sent({ value })).toThrow();
});

test.each([
  ["an object", (): object => within((inner) => ({ inner }))],
  ["a list", (): object => within((inner) => [inner])],
  ["a map", (): object => within((inner) => new Map([["inner", inner]]))],
  ["a set", (): object => within((inner) => new Set([inner]))],
])("%s that is nested too deep, or contains itself, is refused", (_name, make) => {
  expect(() => typedHeaders({ deep: make() })).toThrow(expect.objectContaining({ name: "PublishError", code: "REFUSED" }));
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  expect(() => typedHeaders(circle)).toThrow(/contain themselves/);
});

function within(wrap: (inner: unknown) => object): object {
  let all: object = {};
  for (let depth = 0; depth < 5000; depth++) all = wrap(all);
  return all;
}
