import { expect, test } from "vitest";
import { LastWords } from "./last-words.ts";

function textOf(...said: readonly string[]): string {
  const words = new LastWords();
  for (const each of said) words.add(Buffer.from(each));
  return words.text();
}

const frames = Array.from(
  { length: 30 },
  (_, n) => `${String(n + 1).padStart(2)}: 0x${(0xb78db3 + n).toString(16)} v8::internal::Heap::Frame${n}() [/usr/bin/node]`,
);

test.each([
  { what: "nothing", said: [""], text: "" },
  { what: "a line in pieces", said: ["no such", " file\n"], text: "no such file" },
  { what: "blank lines at the ends, and several between", said: ["\n\none\n\n\n\ntwo\n\n"], text: "one\n\ntwo" },
  {
    what: "more than twenty lines",
    said: [Array.from({ length: 30 }, (_, n) => `line ${n}\n`).join("")],
    text: Array.from({ length: 20 }, (_, n) => `line ${n + 10}`).join("\n"),
  },
  { what: "a stack of JavaScript, whole", said: ["Error: no\n    at run (app.js:1:2)\n"], text: "Error: no\n    at run (app.js:1:2)" },
  { what: "numbered lines that are no frames", said: ["1: one\n 2: 0x\n"], text: "1: one\n 2: 0x" },
])("$what", ({ said, text }) => {
  expect(textOf(...said)).toBe(text);
});

test("why V8 ended the process, without its own frames", () => {
  const cause = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory";
  const collections = "<--- Last few GCs --->\n\n[7:0x1] 900 ms: Mark-Compact 47.9 (50.1) -> 47.8 (50.3) MB\n";
  expect(textOf(`\n${collections}\n<--- JS stacktrace --->\n\n${cause}\n----- Native stack trace -----\n\n${frames.join("\n")}\n`)).toBe(
    `${collections}\n<--- JS stacktrace --->\n\n${cause}`,
  );
});

test("of more than eight kilobytes, the end", () => {
  const text = textOf("x".repeat(10_000), "\nthe cause\n");
  expect(text.endsWith("\nthe cause")).toBe(true);
  expect(text.length).toBeLessThanOrEqual(8192);
});
