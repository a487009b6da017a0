import { expect, test } from "vitest";
import { expand } from "./expand.ts";

const env = { NAME: "joe", EMPTY: "", DOLLARS: "$NAME ${NAME}", key: "from the environment", _1: "one" };

test.each([
  ["no reference", "no reference"],
  ["$NAME", "joe"],
  ["${NAME}", "joe"],
  ["$NAME's", "joe's"],
  ["$NAME_", undefined],
  ["${NAME}_", "joe_"],
  ["$_1", "one"],
  ["${UNSET:-default}", "default"],
  ["${UNSET:-}", ""],
  ["${EMPTY:-default}", "default"],
  ["${EMPTY}", ""],
  ["${UNSET:-${NAME}}", "joe"],
  ["${UNSET:-${ALSO:-deep}}!", "deep!"],
  ["${NAME:-$UNSET}", "joe"],
  ["${UNSET:-a:b-c}", "a:b-c"],
  ["\\$NAME", "$NAME"],
  ["\\${NAME}", "${NAME}"],
  ["a$", "a$"],
  ["$5 and 50$ and $$", "$5 and 50$ and $$"],
  ["pa$$word", undefined],
  ["C:\\dir", "C:\\dir"],
  ["$DOLLARS", "$NAME ${NAME}"],
  ["${NAME:default}", undefined],
  ["${NAME", undefined],
  ["${UNSET:-x", undefined],
  ["$UNSET", undefined],
])("%j becomes %j", (text, expected) => {
  const expansion = expand(text, env);
  if (expected === undefined) expect(expansion.problems).toHaveLength(1);
  else expect([expansion.text, expansion.problems]).toEqual([expected, []]);
});

test("each reference that is not set is named", () => {
  expect(expand("$A ${B} ${C:-c}", {}).problems).toEqual([
    { message: "the environment variable A is not set (set it, or give a default: ${A:-…})" },
    { message: "the environment variable B is not set (set it, or give a default: ${B:-…})" },
  ]);
});
