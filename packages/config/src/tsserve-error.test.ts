import { describe, expect, test } from "vitest";
import { asError, stackOf } from "./foreign-error.ts";
import { ConfigurationError, isConfigurationError } from "./problem.ts";
import { wrongApp } from "./sentences.ts";
import { exitCodeOf, isTsserveError, TsserveError } from "./tsserve-error.ts";

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const withGetter = (name: string): Error =>
  Object.defineProperty(new Error("x"), name, {
    get: () => {
      throw new Error("a getter fails");
    },
  });

/** What strangers throw. */
const thrown: readonly (readonly [string, unknown])[] = [
  ["a text", "oops"],
  ["nothing", undefined],
  ["null", null],
  ["a symbol", Symbol("s")],
  ["an object", { a: 1 }],
  ["an object without a prototype", Object.create(null)],
  ["an object that is no text", { toString: () => 1n, valueOf: () => ({}) }],
  ["a circle", Object.assign({}, { self: undefined as unknown })],
  ["a revoked proxy", revoked()],
  ["a function", () => undefined],
  ["an error whose message throws", withGetter("message")],
  ["an error whose stack throws", withGetter("stack")],
  ["an error whose message is no text", Object.assign(new Error("x"), { message: { a: 1 } })],
  ["an error that is its own cause", ((error: Error) => Object.assign(error, { cause: error }))(new Error("circle"))],
  ["an aggregate", new AggregateError([new Error("one"), "two", revoked()], "several")],
];

describe("what is thrown", () => {
  test.each(thrown)("%s can be told", (_, value) => {
    const error = asError(value);
    expect(error.message).toEqual(expect.any(String));
    expect(stackOf(value)).toEqual(expect.any(String));
    expect(isTsserveError(value)).toBe(false);
    expect(isConfigurationError(value)).toBe(false);
  });

  test("keeps its causes and its parts", () => {
    const error = new AggregateError([new Error("one"), new Error("two")], "several", { cause: new Error("below") });
    expect(stackOf(error)).toMatch(/several[^]*one of them Error: one[^]*one of them Error: two[^]*caused by Error: below/);
  });
});

describe("our errors", () => {
  test("are known by their code, whichever copy of the package made them", () => {
    const error = new ConfigurationError([{ key: "a", message: "expected 1", value: "2" }]);
    expect(isTsserveError(error, "ERR_TSSERVE_CONFIGURATION")).toBe(true);
    expect(isTsserveError(error, "ERR_TSSERVE_LISTEN")).toBe(false);
    // What another copy makes has the mark and the code, but another class.
    const foreign = Object.assign(new Error("x"), { code: "ERR_TSSERVE_CONFIGURATION", problems: [], [Symbol.for("tsserve.error")]: true });
    expect(isConfigurationError(foreign)).toBe(true);
    expect(isTsserveError(Object.assign(new Error("x"), { code: "ERR_TSSERVE_USAGE" }))).toBe(false);
  });

  test("have an exit code each", () => {
    expect(exitCodeOf(wrongApp("a number"))).toBe(3);
    expect(exitCodeOf(new TsserveError("ERR_TSSERVE_USAGE", "x"))).toBe(2);
  });
});
