import { spawnSync } from "node:child_process";
import { array, assert, constantFrom, oneof, property, sample, string, tuple, type Arbitrary } from "fast-check";
import ini from "ini";
import { describe, expect, test } from "vitest";
import { parseIni } from "./ini.ts";
import { ConfigurationError } from "./problem.ts";

type Values = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The values of a text by section, or that it was refused. */
function read(text: string): Values | "refused" {
  try {
    const sections = [...parseIni(text, "x.ini").sections.values()];
    return Object.fromEntries(
      sections.map(({ name, entries }) => [name, Object.fromEntries([...entries].map(([key, { value }]) => [key, value]))]),
    );
  } catch (error) {
    if (error instanceof ConfigurationError) return "refused";
    throw error;
  }
}

const indent = constantFrom("", "", "", " ", "  ", "\t", "   ");
const key = constantFrom("a", "b", "c.d", "Key", "key", "with blank", "x[]", "constructor", "__proto__", "é");
const separator = constantFrom(" = ", "=", ": ", ":", " =", "= ", "  :  ");
const value = constantFrom(
  ..."plain|two words|a;b|c # d|; x|# y|http://h:80/?a=b#c|a = b|k: v|$X|\\$|true|null|0x10|[x]|%(x)s|%|'q'|q\"q||,|a,b|  |\t|x]|é|\\n".split(
    "|",
  ),
);
const entry = tuple(indent, key, separator, value).map((parts) => parts.join(""));
const line: Arbitrary<string> = oneof(
  { weight: 6, arbitrary: entry },
  { weight: 3, arbitrary: tuple(constantFrom("  ", "    ", "\t", "      "), value).map((parts) => parts.join("")) },
  { weight: 2, arbitrary: constantFrom("[one]", "[two]", "[three.x]", "[app:main]", "[DEFAULTS] ; comment", " [indented]") },
  { weight: 2, arbitrary: constantFrom("", "", " ", "\t ") },
  { weight: 1, arbitrary: constantFrom("; comment", "# comment", "  ; indented comment", "\t# x = y") },
  { weight: 1, arbitrary: constantFrom("nonsense", "= no key", ": no key") },
);
const file = tuple(constantFrom("[first]\n", "[first]\n", ""), array(line, { maxLength: 12 }), constantFrom("\n", "\r\n")).map(
  ([header, lines, newline]) => `${header}${lines.join("\n")}`.replaceAll("\n", newline),
);

const python = `
import configparser, json, sys
def read(text):
    parser = configparser.RawConfigParser()
    parser.optionxform = str
    try:
        parser.read_string(text)
    except configparser.Error:
        return "refused"
    return {name: dict(parser.items(name)) for name in parser.sections()}
# As a file is opened: with universal newlines.
print(json.dumps([read(text.replace("\\r\\n", "\\n")) for text in json.load(sys.stdin)]))
`;

const hasPython = spawnSync("python3", ["-c", "import configparser"]).status === 0;

describe.skipIf(!hasPython)("as Python's RawConfigParser has it", () => {
  test("generated files are read alike, or refused alike", () => {
    const files = sample(file, 3000);
    const { stdout, stderr } = spawnSync("python3", ["-c", python], { input: JSON.stringify(files), encoding: "utf8", maxBuffer: 2 ** 28 });
    expect(stderr).toBe("");
    const theirs = JSON.parse(stdout) as (Values | "refused")[];
    let taken = 0;
    for (const [index, text] of files.entries()) {
      const ours = read(text);
      if (ours !== "refused") taken += 1;
      expect([text, ours]).toEqual([text, theirs[index]]);
    }
    expect(taken).toBeGreaterThan(300);
  });
});

test("what ini reads without loss is read as ini reads it", () => {
  const plain = constantFrom(..."a|b c|x-y|1|0.5|a/b|@|!|%|a,b|é".split("|"));
  const entries = array(tuple(constantFrom("a", "b", "c-d", "E"), plain), { maxLength: 4 });
  assert(
    property(array(tuple(constantFrom("one", "two", "app:main"), entries), { maxLength: 4 }), (sections) => {
      const text = sections.map(([name, all]) => [`[${name}]`, ...all.map(([k, v]) => `${k} = ${v}`)].join("\n")).join("\n; comment\n\n");
      const ours = read(text);
      if (ours === "refused") return;
      const theirs = JSON.parse(JSON.stringify(ini.parse(text))) as Values;
      expect(ours).toEqual(theirs);
    }),
    { numRuns: 2000 },
  );
});

describe("any text at all", () => {
  const anything = oneof(
    file,
    string({ unit: "binary", maxLength: 60 }),
    array(constantFrom(...'[]=:;#"\n \t\\${}a\u2028\uFEFF\r\0'.split("")), { maxLength: 60 }).map((all) => all.join("")),
  );

  test("is read, or refused with file and line of each problem", () => {
    assert(
      property(anything, (text) => {
        try {
          for (const section of parseIni(text, "x.ini").sections.values()) {
            expect(section.line).toBeGreaterThan(0);
            for (const { line: at } of section.entries.values()) expect(at).toBeGreaterThan(section.line - 1);
          }
        } catch (error) {
          if (!(error instanceof ConfigurationError)) throw error;
          expect(error.problems.length).toBeGreaterThan(0);
          const lines = text.split(/\r\n|\n|\r/).length;
          for (const problem of error.problems) {
            expect(problem.file).toBe("x.ini");
            expect(problem.line).toBeGreaterThan(0);
            expect(problem.line).toBeLessThanOrEqual(lines);
          }
        }
      }),
      { numRuns: 5000 },
    );
  });

  test("keeps the order of sections and keys, whatever they are called", () => {
    const names = ["b.c", "10", "2", "__proto__", "a", "constructor", "x.y.z", "toString", "a\\.b", '"q"', "[]", "a;b", "x\u2028y"];
    const text = names
      .map(
        (name) =>
          `[${name}]\n${names
            .filter((each) => !/^[[;]/.test(each))
            .map((each) => `${each} = ${each}!`)
            .join("\n")}`,
      )
      .join("\n");
    const { sections } = parseIni(text);
    expect([...sections.keys()]).toEqual(names.map((name) => name.trim()));
    expect([...(sections.get("a")?.entries.values() ?? [])].every(({ key: name, value: held }) => held === `${name}!`)).toBe(true);
  });
});
