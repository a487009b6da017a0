import { expect, test } from "vitest";
import { methodOf } from "./handler-method.ts";

class Base {
  inherited(): string {
    return "inherited";
  }
  toString(): string {
    return "its own";
  }
}
class Handler extends Base {
  own = (): string => "own";
  notThere = undefined;
  number = 7;
  get made(): () => string {
    return () => "made";
  }
}

test.each([
  { name: "own", found: true },
  { name: "inherited", found: true },
  { name: "made", found: true },
  { name: "toString", found: true },
  { name: "number", found: false },
  { name: "notThere", found: false },
  { name: "absent", found: false },
  // What every object has is no method of a service.
  { name: "constructor", found: false },
  { name: "hasOwnProperty", found: false },
  { name: "valueOf", found: false },
  { name: "__proto__", found: false },
])("a handler's $name: $found", ({ name, found }) => {
  expect(typeof methodOf(new Handler(), name)).toBe(found ? "function" : "undefined");
});

test("names that every object has may be a plain handler's own", () => {
  const handler = { constructor: () => "c", valueOf: () => "v" };
  for (const name of ["constructor", "valueOf"]) expect(methodOf(handler, name)).toBe((handler as Record<string, unknown>)[name]);
  expect(methodOf({ valueOf: Object.prototype.valueOf }, "valueOf")).toBeUndefined();
});
