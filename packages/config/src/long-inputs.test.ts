import { describe, expect, test } from "vitest";
import { readEnvironmentFile } from "./environment-file.ts";
import { expand } from "./expand.ts";
import { parseIni } from "./ini.ts";
import { isSecretKey, maskPatterns, secretParts } from "./mask.ts";
import { Masker } from "./masker.ts";
import { nearest } from "./nearest.ts";
import { parseConfig } from "./parse-config.ts";
import { dictOf, tupleOf } from "./parsers/combined.ts";
import { endpoint, listenEndpoint } from "./parsers/endpoint.ts";
import { byteSize, float, integer, integerBase, percent } from "./parsers/number.ts";
import { unixUser } from "./parsers/system.ts";
import { base64, boolean, oneOf, string } from "./parsers/text.ts";
import { timespan, timespanOrSeconds } from "./parsers/timespan.ts";
import { formatProblem, isConfigurationError } from "./problem.ts";
import { writeEntry } from "./write-entry.ts";

// Whatever needs a number of steps that grows with the square of the input needs days for these, and a test's time is
// limited; whatever looks at each character a few times needs milliseconds.
const length = 100_000;

const pieces: readonly string[] = [
  ..."a|1|_|1_|-|.|a.|[|]|] |=|a=|:|: |$|${|${A|${A:-|}|${A:-}|\\|\\$|\"|'|`|,|, |#|;|; |%|5 |K|://|a://|://a:|a://b:|@|password=|secret_|Bearer |Basic a|eyJ|eyJ.|é|[:|0x".split(
    "|",
  ),
  " ",
  "\t",
  "\n",
  " \n",
  "\r\n",
  "a\n",
  "a=1\n",
  "[a]\n",
  " a\n",
  "-----BEGIN PRIVATE KEY-----",
];

const readers: Readonly<Record<string, (text: string) => unknown>> = {
  "an INI file": (text) => parseIni(text, "x"),
  "a value of an INI file": (text) => parseIni(`[a]\nk = ${text}`, "x"),
  "a section of an INI file": (text) => parseIni(`[a${text}`, "x"),
  "an environment file": (text) => readEnvironmentFile(text, "x", {}),
  "a variable of an environment file": (text) => readEnvironmentFile(`A=${text}`, "x", { A2: "1" }),
  "a reference": (text) => expand(text, {}),
  "a nested reference": (text) => expand(`\${A:-${text}}`, {}),
  "the masker": (text) => {
    const masker = new Masker();
    masker.learn(["hunter2hunter2", "aaaaaaaaab"]);
    return masker.mask(text);
  },
  "what shows by itself that it is secret": (text) => secretParts(text),
  "the name of a key": (text) => [isSecretKey(text), nearest(text, ["drain_time", "stop_timeout"])],
  "a problem": (text) => formatProblem({ key: text, message: maskPatterns(text), value: text }),
  "a line to write": (text) => writeEntry("k", text),
  "a list": (text) => tupleOf(string)(text),
  "a dictionary": (text) => parseConfig({ [`a.${text}`]: "x" }, { a: dictOf({ b: string }) }),
  ...Object.fromEntries(
    Object.entries({
      integer,
      hex: integerBase(16),
      any: integerBase(0),
      float,
      percent,
      byteSize,
      endpoint,
      listenEndpoint,
      base64,
      boolean,
      oneOf: oneOf({ a: 1 }),
      timespan,
      timespanOrSeconds,
      unixUser,
    }),
  ),
};

/** Problems, and an `Error` of a parser, are answers; anything else is a crash. */
function settle(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (isConfigurationError(error)) return;
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(RangeError);
    expect(error).not.toBeInstanceOf(TypeError);
  }
}

describe.each(Object.entries(readers))("%s of a hundred thousand characters", (_, reader) => {
  test("is read, or refused", () => {
    for (const piece of pieces) {
      const text = piece.repeat(Math.ceil(length / piece.length));
      settle(() => reader(text));
      settle(() => reader(`1${text}x`));
    }
  });
});

test("defaults that nest ten thousand deep", () => {
  const depth = 10_000;
  expect(expand(`${"${A:-".repeat(depth)}x${"}".repeat(depth)}`, {}).text).toBe("x");
});
