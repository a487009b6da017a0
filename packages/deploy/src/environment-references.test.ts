import { expect, it } from "vitest";
import { environmentReferences } from "./environment-references.ts";

it.each([
  ["plain", []],
  ["$NAME", [["NAME", false]]],
  ["${NAME}", [["NAME", false]]],
  ["${NAME:-x}", [["NAME", true]]],
  [
    "${A:-${B}}",
    [
      ["A", true],
      ["B", false],
    ],
  ],
  [
    "postgres://app:$DB_PASSWORD@${DB_HOST:-db}/app",
    [
      ["DB_PASSWORD", false],
      ["DB_HOST", true],
    ],
  ],
  ["\\$NAME costs 5$", []],
  ["$5 and $", []],
  ["$toString", [["toString", false]]],
] as const)("%s refers to %j", (text, expected) => {
  expect(environmentReferences(text).map(({ name, hasDefault }) => [name, hasDefault])).toEqual(expected);
});
