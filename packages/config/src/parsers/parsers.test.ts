import { closeSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Parser } from "../spec.ts";
import { endpoint, formatEndpoint } from "./endpoint.ts";
import { byteSize, float, integer, integerBase, integerFrom, percent } from "./number.ts";
import { file, unixGroup, unixUser } from "./system.ts";
import { base64, boolean, oneOf, string } from "./text.ts";
import { timespan, timespanOrInfinite, timespanOrSeconds } from "./timespan.ts";

/** What each parser makes of texts; an Error where it must refuse, with what it says. */
const cases: readonly (readonly [string, Parser<unknown>, Readonly<Record<string, unknown>>])[] = [
  ["string", string, { "a # b": "a # b", true: "true" }],
  [
    "integer",
    integer,
    {
      "0": 0,
      "-17": -17,
      "+5": 5,
      "1_000": 1000,
      "1.0": Error("expected an integer"),
      "0x10": Error("an integer"),
      "1e3": Error("an integer"),
      "9007199254740993": Error("at most"),
      "": Error("an integer"),
      "1__0": Error("an integer"),
    },
  ],
  [
    "integerFrom",
    integerFrom("a port", 1, 65_535),
    { "1": 1, "65535": 65_535, "0": Error("a port of 1 to 65535"), "65536": Error("a port of 1 to 65535"), x: Error("an integer") },
  ],
  ["integerBase(8)", integerBase(8), { "755": 493, "0o755": 493, "8": Error("base 8") }],
  ["integerBase(16)", integerBase(16), { ff: 255, "0xFF": 255, "0b1": 177, g: Error("base 16") }],
  ["integerBase(0)", integerBase(0), { "10": 10, "0x10": 16, "0b10": 2, "0o10": 8, "-0x10": -16 }],
  [
    "float",
    float,
    {
      "1": 1,
      "1.5": 1.5,
      ".5": 0.5,
      "-1e3": -1000,
      inf: Infinity,
      "-Infinity": -Infinity,
      "1,5": Error("a number"),
      "0x10": Error("a number"),
      "1.2.3": Error("a number"),
    },
  ],
  ["boolean", boolean, { true: true, False: false, yes: Error("true or false"), "1": Error("true or false"), on: Error("true or false") }],
  [
    "percent",
    percent,
    {
      "37.2%": 0.372,
      "0%": 0,
      "100 %": 1,
      " 50%": 0.5,
      "50% ": Error("such as 37.2%"),
      "101%": Error("0% to 100%"),
      "-1%": Error("0% to 100%"),
      "50": Error("such as 37.2%"),
      "%": Error("such as 37.2%"),
    },
  ],
  [
    "timespan",
    timespan,
    {
      "100 milliseconds": 100,
      "1 millisecond": 1,
      "1 second": 1000,
      "5 minutes": 300_000,
      "5\tseconds": 5000,
      " 5  \t seconds ": 5000,
      "2 hours": 7_200_000,
      "1 day": 86_400_000,
      "30s": 30_000,
      "1.5h": 5_400_000,
      "5": Error("number and a unit"),
      "5 parsecs": Error("number and a unit"),
      "-5 seconds": Error("not negative"),
      soon: Error("number and a unit"),
      [`${"1".repeat(200)}s`]: Error("number and a unit"),
    },
  ],
  ["timespanOrInfinite", timespanOrInfinite, { infinite: Infinity, "1 second": 1000, infinity: Error("number and a unit") }],
  ["timespanOrSeconds", timespanOrSeconds, { "5": 5000, "0.5": 500, "5 minutes": 300_000, "-5": Error("or a number of seconds") }],
  [
    "byteSize",
    byteSize,
    { "512": 512, "64K": 65_536, "10 MB": 10_485_760, "1GiB": 1_073_741_824, "1T": Error("a size"), "-1": Error("a size") },
  ],
  [
    "endpoint",
    endpoint,
    {
      "localhost:9090": { host: "localhost", port: 9090 },
      ":9090": { host: "", port: 9090 },
      "[::1]:80": { host: "::1", port: 80 },
      "/run/app.sock": { path: "/run/app.sock" },
      "./app.sock": { path: "./app.sock" },
      "unix:/run/app.sock": { path: "/run/app.sock" },
      "::1:80": Error("in brackets"),
      localhost: Error("an endpoint such as"),
      "host:": Error("an endpoint such as"),
      "host:99999": Error("0 to 65535"),
      "http://host:80": Error("not a URL"),
      "host:port": Error("an endpoint such as"),
      "my_host.local:80": { host: "my_host.local", port: 80 },
      "münchen.example:80": { host: "münchen.example", port: 80 },
      "[fe80::1%lo]:80": { host: "fe80::1%lo", port: 80 },
      "[::]:0": { host: "::", port: 0 },
      "a b:80": Error("an endpoint such as"),
      "*:80": Error("an endpoint such as"),
      "[localhost]:80": Error("an endpoint such as"),
      "[127.0.0.1]:80": Error("an endpoint such as"),
      "[]:80": Error("an endpoint such as"),
    },
  ],
  ["base64", base64, { "aGk=": Buffer.from("hi"), aGk: Error("padding"), "a*==": Error("padding"), "aGVs\nbG8=": Buffer.from("hello") }],
  [
    "oneOf",
    oneOf({ one: 1, two: 2 }),
    { one: 1, two: 2, tow: Error('one of one, two, did you mean "two"?'), toString: Error("one of one, two") },
  ],
  ["unixUser", unixUser, { root: 0, "12345": 12_345, "no-such-user-here": Error("of a user of this machine") }],
  ["unixGroup", unixGroup, { "12345": 12_345, "no such group": Error("of a group of this machine") }],
];

for (const [name, parser, texts] of cases) {
  describe(name, () => {
    for (const [text, expected] of Object.entries(texts)) {
      test(JSON.stringify(text), () => {
        if (expected instanceof Error) expect(() => parser(text)).toThrow(expected.message);
        else expect(parser(text)).toEqual(expected);
      });
    }
  });
}

test("a NaN is a number too", () => expect(float("nan")).toBeNaN());

test("a base that is none is the programmer's error", () => expect(() => integerBase(1)).toThrow(RangeError));

test("an endpoint is written as it is read", () => {
  for (const text of ["localhost:9090", ":9090", "[::1]:80", "/run/app.sock"]) expect(formatEndpoint(endpoint(text))).toBe(text);
});

test("file opens the file", () => {
  const folder = mkdtempSync(join(tmpdir(), "tsserve-test-"));
  try {
    const path = join(folder, "x");
    writeFileSync(path, "content");
    const fd = file()(path);
    expect(readFileSync(fd, "utf8")).toBe("content");
    closeSync(fd);
    expect(() => file()(join(folder, "none"))).toThrow("could not open the file: ENOENT");
    expect(() => file()(folder)).toThrow("could not open the file: it is a folder");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
