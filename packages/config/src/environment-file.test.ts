import { parse } from "dotenv";
import { expand } from "dotenv-expand";
import { array, assert, constantFrom, property } from "fast-check";
import { describe, expect, test } from "vitest";
import { readEnvironmentFile } from "./environment-file.ts";
import type { Environment } from "./expand.ts";
import { ConfigurationError } from "./problem.ts";

function read(text: string, environment: Environment = {}): Record<string, string> {
  return { ...readEnvironmentFile(text, ".env", environment) };
}

function problemsOf(text: string, environment: Environment = {}): string[] {
  try {
    read(text, environment);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message.split("\n");
    throw error;
  }
  return [];
}

/** As users of the two packages have it. */
function theirs(text: string): Record<string, string> {
  return { ...expand({ parsed: parse(text), processEnv: {} }).parsed };
}

describe("nothing is lost, and all is as dotenv and dotenv-expand have it", () => {
  test.each([
    "A=1\nB=2",
    "A=1\n   \nB=2",
    "A=1\n\t\n\n \nB=2\n \n",
    "  # indented comment\n  A=1\n\t# another\nB=2",
    "export A=1\nexport  B = 2",
    "A = spaced value  # comment",
    "A=a#b\nB='a#b'",
    "A: yaml\nB: 'x y'",
    "A=\nB=''\nC=\"\"",
    'A="one\ntwo\n three"\nB=2',
    "A='one\n\ntwo'\nB=`x\"y'z`",
    "A=\"a\\nb\"\nB='a\\nb'",
    "A='it's'\nB=\"x\" y",
    'A="x" # comment\nB="a \\" b"',
    "A=1\nB=$A-${A}\nC=${NOPE:-d}${NOPE-e}\nD=${A:+yes}${NOPE+no}",
    "A=1\nB=${NOPE:-${A}}\nC=${NOPE:-${ALSO:-deep}}",
    "A=pa\\$word\nB='x\\$y'",
    "A=5$\nB=$5\nC=$",
    "A.B=1\nA-B=2\n_x=3",
    "A=1\r\nB=2\r\n",
    "A=1\rB=2",
    "A=1\nA=2\nB=$A",
    "",
    "# nothing",
  ])("%j", (text) => {
    expect(read(text)).toEqual(theirs(text));
  });

  test("a byte-order mark is no part of the first name", () => {
    expect(read("\uFEFFA=1\nB=2")).toEqual({ A: "1", B: "2" });
  });

  test("generated files, as long as nothing is wrong with them", () => {
    const piece = constantFrom(
      ..."A= B= C= export= # ' \" ` \n \n \n x y $A ${A} ${B:-x} \\$ \\n = : . \t".split(" "),
      " ",
      "A=1\n",
      "B=2\n",
    );
    let compared = 0;
    assert(
      property(array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join("");
        // A dollar that is literal by now is expanded again by dotenv-expand, for ever where it leads to itself; and where it puts
        // a value in, it takes a dollar with a sign after it for a pattern of `String#replace`.
        if (problemsOf(text).length > 0 || Object.values(read(text)).some((value) => /\$[A-Za-z_{$&`']/.test(value))) return;
        compared += 1;
        expect(read(text)).toEqual(theirs(text));
      }),
      { numRuns: 3000 },
    );
    expect(compared).toBeGreaterThan(300);
  });
});

describe("what dotenv would pass over in silence is a problem, with file and line", () => {
  test.each([
    ["A=1\nnonsense\nB=2", ['.env:2: expected NAME=value, or a comment, found "nonsense"']],
    ["export A", ['.env:1: expected NAME=value, or a comment, found "export A"']],
    ["A B=1", ['.env:1: expected NAME=value, or a comment, found "A B=1"']],
    ['A="open', ['.env:1: A: the quote " is never closed, found "\\"open"']],
    ["\n A='open\nB=1", [".env:2: A: the quote ' is never closed, found \"'open\""]],
    ["A=1\nB=${C}", [".env:2: B: the variable C is not set (set it above, or give a default: ${C:-…}; \\$ is a literal dollar)"]],
    ["A=$toString", [expect.stringMatching(/^\.env:1: A: the variable toString is not set/)]],
    ["A=${B}\nB=1", [expect.stringMatching(/^\.env:1: A: the variable B is not set/)]],
    ["A=x${A}", [expect.stringMatching(/^\.env:1: A: the variable A is not set/)]],
    [
      "nonsense\nA='open\nB=$C",
      [expect.stringMatching(/^\.env:1:/), expect.stringMatching(/^\.env:2:/), expect.stringMatching(/^\.env:3:/)],
    ],
  ])("%j", (text, expected) => {
    expect(problemsOf(text)).toEqual(expected);
  });

  test("a name that is not set counts where it is needed", () => {
    expect(problemsOf("A=1\nB=${A:-${NOPE}}\nC=${NOPE:+${ALSO}}\nD=${EMPTY:-}")).toEqual([]);
    expect(problemsOf("B=${NOPE:-${ALSO}}")).toHaveLength(1);
  });

  test("no secret stands in it", () => {
    const said = problemsOf("DB_PASSWORD='hunter2\npassword hunter2\nURL='postgres://me:hunter2@db").join("\n");
    expect(said.split("\n")).toHaveLength(3);
    expect(said).not.toContain("hunter2");
  });
});

describe("the environment of the process", () => {
  test("wins over the file, which then may say what it likes", () => {
    expect(read("A=$NOPE\nB=$A", { A: "real" })).toEqual({ A: "$NOPE", B: "real" });
  });

  test("a dollar in what it holds, or in what the file holds, is a dollar", () => {
    expect(read("COPY=$PW-${PW}", { PW: "pa$$word$HOME" })).toEqual({ COPY: "pa$$word$HOME-pa$$word$HOME" });
    expect(read("A=x\\$A\nB=${A}")).toEqual({ A: "x$A", B: "x$A" });
  });

  test("has no variables that nobody set", () => {
    expect(problemsOf("A=${constructor}", process.env)).toHaveLength(1);
  });
});
