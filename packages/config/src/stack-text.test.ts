import { afterEach, describe, expect, test } from "vitest";
import { asError, callerPlace, stackOf } from "./foreign-error.ts";
import { stackHere, stackText } from "./stack-text.ts";

const refuse = (): never => {
  throw new Error("no stack");
};
const hook = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace");
const limit = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit");
const setHook = (prepareStackTrace: unknown): void =>
  void Object.defineProperty(Error, "prepareStackTrace", { value: prepareStackTrace, configurable: true, writable: true });

afterEach(() => {
  if (hook === undefined) Reflect.deleteProperty(Error, "prepareStackTrace");
  else Object.defineProperty(Error, "prepareStackTrace", hook);
  if (limit !== undefined) Object.defineProperty(Error, "stackTraceLimit", limit);
});

/** What an app may have `Error.prepareStackTrace` give, and whether the frames can still be told. */
const hooks: readonly (readonly [string, unknown, boolean])[] = [
  ["that throws", refuse, true],
  ["that gives the call sites", (_error: Error, sites: readonly NodeJS.CallSite[]) => sites, true],
  ["that gives nothing", () => undefined, false],
  ["that gives null", () => null, false],
  ["that gives a number", () => 42, false],
  ["that gives a thing without a prototype", () => Object.create(null) as unknown, false],
  ["that gives things that refuse to be a text", () => [{ toString: refuse }], false],
  ["that gives a thing with a getter that throws", () => Object.defineProperty({}, "a", { get: refuse, enumerable: true }), false],
];

describe("the stack of an error under a hook of the app's", () => {
  test.each(hooks)("%s is a text that begins with type and message", (_, prepareStackTrace, hasFrames) => {
    setHook(prepareStackTrace);
    const text = stackText(new RangeError("it broke"));
    const error = asError(Object.assign(new RangeError("it broke"), { code: "E_BROKEN", cause: "why" }));
    const told = stackOf(new RangeError("it broke"));
    const ofText = stackText(asError("a text"));
    // What looks at an error of ours, or at the copy of one, meets no hook any more.
    expect(Object.fromEntries(Object.entries(error))).toMatchObject({ code: "E_BROKEN" });
    expect([error.name, error.message, error.cause]).toEqual(["RangeError", "it broke", "why"]);
    expect(Error).toHaveProperty("prepareStackTrace", prepareStackTrace);
    setHook(undefined);
    for (const each of [text, told])
      expect(each).toMatch(hasFrames ? /^RangeError: it broke\n\s+at .*stack-text\.test/ : /^RangeError: it broke$/);
    expect(error.stack ?? "RangeError: it broke").toMatch(/^RangeError: it broke/);
    expect(ofText).toMatch(/^Error: a value that is no Error was thrown: a text/);
  });

  test.each(hooks.filter(([, , hasFrames]) => hasFrames))("%s: who calls is still found", (_, prepareStackTrace) => {
    setHook(prepareStackTrace);
    const place = callerPlace();
    setHook(undefined);
    expect(place).not.toBe("");
  });
});

test.each([0, 1, Number.POSITIVE_INFINITY, undefined, "many"])("who calls is found under a limit of %s frames, which stays", (value) => {
  Object.defineProperty(Error, "stackTraceLimit", { value, configurable: true, writable: true });
  const stack = (function called() {
    return stackHere();
  })();
  expect(stack).toMatch(/at called .*\n\s+at /);
  expect(Error).toHaveProperty("stackTraceLimit", value);
});
