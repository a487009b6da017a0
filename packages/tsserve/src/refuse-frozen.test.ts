import { isTsserveError } from "@tsserve/config";
import { expect, test } from "vitest";
import { refuseFrozen } from "./refuse-frozen.ts";

const withSetter = (): object =>
  Object.defineProperty({}, "prepareStackTrace", {
    set() {
      // What is set is nobody's matter here.
    },
  });

test.each([
  ["this process's own", Error],
  ["one without the hook", {}],
  ["one whose hook is set", { prepareStackTrace: () => "" }],
  ["one whose hook goes through a setter", withSetter()],
  ["one that is frozen around a setter", Object.freeze(withSetter())],
])("%s serves", (_, error) => expect(() => refuseFrozen(error)).not.toThrow());

test.each([
  ["frozen, without the hook", Object.freeze({})],
  ["frozen, with the hook", Object.freeze({ prepareStackTrace: undefined })],
  ["that takes nothing more", Object.preventExtensions({})],
  ["whose hook can only be read", Object.defineProperty({}, "prepareStackTrace", { value: undefined, writable: false })],
  ["whose hook has no setter", Object.defineProperty({}, "prepareStackTrace", { get: () => undefined })],
])("one %s is refused, and the option is named", (_, error) => {
  try {
    refuseFrozen(error);
    expect.fail("it was not refused");
  } catch (thrown) {
    expect(isTsserveError(thrown, "ERR_TSSERVE_USAGE")).toBe(true);
    expect((thrown as Error).message).toContain("--frozen-intrinsics in NODE_OPTIONS");
  }
});
