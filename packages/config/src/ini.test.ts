import { describe, expect, test } from "vitest";
import { parseIni } from "./ini.ts";
import { ConfigurationError } from "./problem.ts";

/** The values of the section `[a]`. */
function read(text: string): Record<string, string> {
  const section = parseIni(`[a]\n${text}`).sections.get("a");
  return Object.fromEntries([...(section?.entries.values() ?? [])].map(({ key, value }) => [key, value]));
}

function problems(text: string): string[] {
  try {
    parseIni(text, "x.ini");
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("values", () => {
  test.each([
    ["k = v", { k: "v" }],
    ["k: v", { k: "v" }],
    ["k=v", { k: "v" }],
    ["url = http://host:80/?a=b", { url: "http://host:80/?a=b" }],
    ["url: postgres://u:p@h/db?x=1", { url: "postgres://u:p@h/db?x=1" }],
    ["a:b = c", { a: "b = c" }],
    ["color = #ff0000", { color: "#ff0000" }],
    ["password = a;b#c ; d # e", { password: "a;b#c ; d # e" }],
    ["t = true\nn = null\nh = 0x10", { t: "true", n: "null", h: "0x10" }],
    ["k =", { k: "" }],
    ['k = ""', { k: "" }],
    ['k = "  padded  "', { k: "  padded  " }],
    ['k = "a" and "b"', { k: '"a" and "b"' }],
    ["k = 'single'", { k: "'single'" }],
    ["noodles.blah = one, two", { "noodles.blah": "one, two" }],
    ["Key = 1\nkey = 2", { Key: "1", key: "2" }],
    ["list[] = a", { "list[]": "a" }],
    ["k = one\n  two\n\tthree", { k: "one\ntwo\nthree" }],
    ["k = one\n\n  two\n\n", { k: "one\n\ntwo" }],
    ["k = one\n  # a comment in between\n  two", { k: "one\ntwo" }],
    ["k =\n  a = b\n  [c]", { k: "\na = b\n[c]" }],
    ["; comment\n# comment\nk = v", { k: "v" }],
    ["  indented = v", { indented: "v" }],
    [
      "__proto__ = x\nconstructor = y",
      Object.fromEntries([
        ["__proto__", "x"],
        ["constructor", "y"],
      ]),
    ],
  ])("%j", (text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  test("a byte-order mark, CRLF and lone CR are fine", () => {
    const document = parseIni("\uFEFF[a]\r\nk = v\r\n[b]\rk = w");
    expect(document.sections.get("a")?.entries.get("k")?.value).toBe("v");
    expect(document.sections.get("b")?.entries.get("k")).toEqual({ key: "k", value: "w", line: 4 });
  });

  test("section names keep case, colons and dots; a comment may follow", () => {
    expect([...parseIni("[Server:main.x] ; here\n[ b ]").sections.keys()]).toEqual(["Server:main.x", "b"]);
  });
});

describe("errors, all of them, with file and line", () => {
  test("lines that are nothing, keys and sections twice, keys outside", () => {
    expect(problems("k = v\n[a]\nnonsense\nk = 1\nk = 2\n[a]\nk = 3\n[]\n= v\n")).toEqual([
      "x.ini:1: k: expected a [section] header before the first key",
      'x.ini:3: [a] expected "key = value", a [section] or a comment, found "nonsense"',
      "x.ini:5: [a] k: the key is already set at line 4",
      "x.ini:6: [a] section [a] is already defined at line 2",
      'x.ini:8: expected a section header such as [app:main], found "[]"',
      expect.stringMatching(/^x\.ini:9: .*found "= v"$/),
    ]);
  });

  test("a very long line is quoted in part", () => {
    expect(problems(`[a]\n${"x".repeat(10_000)}`)[0]?.length).toBeLessThan(300);
  });
});
