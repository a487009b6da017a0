import { array, assert, constantFrom, property } from "fast-check";
import { expect, test } from "vitest";
import { expand } from "./expand.ts";
import { parseIni } from "./ini.ts";
import { writeEntry } from "./write-entry.ts";

/** What the file reads back as, references expanded. */
function readBack(written: string): Readonly<Record<string, string>> {
  const section = parseIni(`[before]\nx = y\n[a]\n${written}\nlast = 1\n[c]\nx = y`).sections.get("a");
  return Object.fromEntries([...(section?.entries.values() ?? [])].map(({ key, value }) => [key, expand(value, {}).text]));
}

test.each([
  "",
  "plain",
  " padded ",
  "a = b",
  "a\nb",
  "\na",
  "a\n\n",
  "a\n  b",
  "a\n; b",
  "a\n# b",
  '"x"',
  '"',
  '""',
  "$HOME",
  "\\$x",
  "${A:-b}",
  "\n",
  " \n ",
])("%j reads back", (value) => {
  expect(readBack(writeEntry("k", value))).toEqual({ k: value, last: "1" });
});

test("any value reads back as it was", () => {
  const character = constantFrom(..."ab \t;#=:\"'$\\{}[]\n-%,é".split(""));
  assert(
    property(array(character, { maxLength: 30 }), (characters) => {
      const value = characters.join("");
      expect(readBack(writeEntry("k", value))).toEqual({ k: value, last: "1" });
    }),
    { numRuns: 3000 },
  );
});
