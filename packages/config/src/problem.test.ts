import { expect, test } from "vitest";
import { ConfigurationError, formatProblem, isConfigurationError } from "./problem.ts";

test("all that is known of the place is told", () => {
  const problem = { key: "k", message: "expected x", value: "y" };
  expect(formatProblem(problem)).toBe('k: expected x, found "y"');
  expect(formatProblem({ ...problem, file: "a.ini" })).toBe('a.ini: k: expected x, found "y"');
  expect(formatProblem({ ...problem, file: "a.ini", line: 3, section: "s" })).toBe('a.ini:3: [s] k: expected x, found "y"');
  expect(formatProblem({ key: "", message: "expected x", value: undefined, file: "a.ini", line: 3 })).toBe("a.ini:3: expected x");
});

test("names are short, and move no cursor", () => {
  const told = formatProblem({ key: `\u001b[31m${"x".repeat(1000)}`, message: "unknown key", value: "a\u001bb", section: "s\u0007\u009b" });
  expect(told.length).toBeLessThan(250);
  expect(told).not.toMatch(/\p{Cc}/u);
});

test("an error has them all, a line each", () => {
  const error = new ConfigurationError([
    { key: "a", message: "one", value: undefined },
    { key: "b", message: "two", value: undefined },
  ]);
  expect(error.message).toBe("a: one\nb: two");
  expect([isConfigurationError(error), isConfigurationError(new Error("a"))]).toEqual([true, false]);
});
