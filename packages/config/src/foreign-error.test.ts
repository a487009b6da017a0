import { describe, expect, test } from "vitest";
import { asError, stackOf } from "./foreign-error.ts";
import { readField } from "./read-field.ts";

const refuse = (): never => {
  throw new Error("not to be looked at");
};
const refusing = new Proxy({}, { get: refuse, has: refuse, ownKeys: refuse, getPrototypeOf: refuse, getOwnPropertyDescriptor: refuse });
const { proxy: revoked, revoke } = Proxy.revocable({}, {});
revoke();
const withGetter = (name: string): Error => Object.defineProperty(new RangeError("it failed"), name, { get: refuse, enumerable: true });

/** All that was thrown by somebody, some day. */
const thrown: readonly (readonly [string, unknown, RegExp])[] = [
  ["an error", new Error("plain"), /^plain$/],
  ["a text", "just a text", /no Error was thrown: just a text$/],
  ["null", null, /no Error was thrown: null$/],
  ["undefined", undefined, /no Error was thrown: undefined$/],
  ["a symbol", Symbol("s"), /no Error was thrown: Symbol\(s\)$/],
  ["a big number", 10n, /no Error was thrown: 10$/],
  ["an object", { code: 7 }, /no Error was thrown: \{"code":7\}$/],
  ["an object without a prototype", Object.create(null), /can't be read$/],
  ["an object that can't be printed", { toString: refuse }, /can't be read$/],
  ["a proxy that refuses", refusing, /can't be read$/],
  ["a revoked proxy", revoked, /can't be read$/],
  ["an error whose message throws", withGetter("message"), /can't be read$/],
  ["an error whose message is no text", Object.assign(new Error("x"), { message: 7 }), /can't be read$/],
  ["an error whose stack is no text", Object.assign(new Error("it failed"), { stack: {} }), /^it failed$/],
  ...["name", "stack", "code", "cause", "errors", "constructor"].map(
    (name) => [`an error whose ${name} throws`, withGetter(name), /^it failed$/] as const,
  ),
];

describe("what was thrown, as an error", () => {
  test.each(thrown)("%s", (_, value, message) => {
    const error = asError(value);
    expect(error).toBeInstanceOf(Error);
    expect(error.message).toMatch(message);
    // Whoever looks at it after this meets no other failure.
    for (const name of ["name", "message", "stack", "code", "cause", "errors", "constructor"]) Reflect.get(error, name);
    expect(stackOf(value)).toMatch(new RegExp(message.source.replaceAll(/^\^|\$$/g, "")));
  });

  test("an error that can be read is the same one", () => {
    const error = Object.assign(new TypeError("same"), { code: "E_SAME", cause: new Error("why") });
    expect(asError(error)).toBe(error);
  });

  test("one of another realm is an error, too", () => {
    const foreign = Object.setPrototypeOf(new Error("from afar"), null) as Error;
    expect(asError(foreign).message).toBe("from afar");
  });

  test("causes in circles are told once, and long messages are cut, with their frames kept", () => {
    const error = Object.assign(new Error(`begins${"x".repeat(1_000_000)}`), { errors: [] as unknown[], cause: undefined as unknown });
    const other = Object.assign(new Error("other"), { cause: error, errors: [error, error] });
    Object.assign(error, { cause: other, errors: [error, other, error] });
    const told = stackOf(error);
    expect(told.length).toBeLessThan(10_000);
    expect(told).toMatch(/^Error: beginsx+… \(996006 more\)\n\s+at .*foreign-error\.test/);
    expect(told.match(/^.*told of above$/gm)).toHaveLength(6);
    expect(told.match(/Error: other/g)).toHaveLength(1);
  });

  test("where the error itself can't be kept, its stack is", () => {
    const error = withGetter("code");
    expect(error.stack).toMatch(/foreign-error\.test/);
    expect(asError(error).stack).toBe(error.stack);
  });
});

describe("a field of a foreign value", () => {
  test.each<[string, unknown, unknown]>([
    ["of an object", { field: 1 }, 1],
    ["of a function", Object.assign(() => undefined, { field: 2 }), 2],
    ["of one without it", {}, undefined],
    ["of nothing", undefined, undefined],
    ["of null", null, undefined],
    ["of a text", "text", undefined],
    [
      "that throws",
      {
        get field(): never {
          return refuse();
        },
      },
      undefined,
    ],
    ["of a proxy that refuses", refusing, undefined],
    ["of a revoked proxy", revoked, undefined],
  ])("%s", (_, value, expected) => expect(readField(value, "field")).toBe(expected));
});
