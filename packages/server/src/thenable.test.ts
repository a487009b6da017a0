import { expect, test } from "vitest";
import { isThenable } from "./thenable.ts";

const then = (): void => undefined;
const callable = Object.assign(() => undefined, { then });

test.each([
  ["a promise", Promise.resolve(), true],
  ["what only has a then", { then }, true],
  ["what inherits a then", Object.create({ then }), true],
  ["a function with a then", callable, true],
  ["an object whose then is no function", { then: true }, false],
  ["an object without a prototype", Object.create(null), false],
  ["a function", () => undefined, false],
  ["null", null, false],
  ["undefined", undefined, false],
  ["a text", "then", false],
])("%s", (_, value: unknown, expected) => expect(isThenable(value)).toBe(expected));

test("what its getter throws is the caller's to catch", () => {
  const value = Object.defineProperty({}, "then", {
    get: () => {
      throw new Error("by design");
    },
  });
  expect(() => isThenable(value)).toThrow("by design");
});
