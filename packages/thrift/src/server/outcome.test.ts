import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import { ApplicationError } from "../application-error.ts";
import { makeExceptionClass } from "../codec/exception-class.ts";
import { loadIdl } from "../idl/load-idl.ts";
import type { Struct } from "../idl/model.ts";
import { failedWith } from "./outcome.ts";

function exception(text: string, name: string): ReturnType<typeof makeExceptionClass> {
  const idl = loadIdl("test.thrift", { locate: (path) => path, read: () => text });
  return makeExceptionClass(idl.structs.get(name) as Struct, new Map());
}

describe("the outcome of an error", () => {
  const Declared = exception("exception Named { 1: string name }", "Named");
  // Baseplate's own.
  const BaseplateError = exception("exception Error { 1: optional i32 code, 2: optional string message }", "Error");
  const generated = createRequire(import.meta.url)("../../../../test/fixtures/thrift/gen-nodejs/bench_types.js") as {
    BenchError: new (fields: object) => Error;
  };

  const refuse = (): never => {
    throw new Error("not to be looked at");
  };
  const unreadable = Object.defineProperties(new RangeError("x"), { code: { get: refuse }, name: { get: refuse, enumerable: true } });
  const refusing = new Proxy({}, { get: refuse, getPrototypeOf: refuse, getOwnPropertyDescriptor: refuse });

  test.each([
    ["an exception of the IDL", new Declared({}), { exceptionType: "Named", status: "", statusCode: "" }],
    ["one with a field `name`", new Declared({ name: "Joe" }), { exceptionType: "Named", status: "", statusCode: "" }],
    ["baseplate's Error", new BaseplateError({ code: 404 }), { exceptionType: "Error", status: "NOT_FOUND", statusCode: "404" }],
    [
      "baseplate's Error, of a code without a name",
      new BaseplateError({ code: 1001 }),
      { exceptionType: "Error", status: "", statusCode: "1001" },
    ],
    ["baseplate's Error without a code", new BaseplateError({ message: "m" }), { exceptionType: "Error", status: "", statusCode: "" }],
    [
      "one that Apache's compiler made",
      new generated.BenchError({ code: 503 }),
      { exceptionType: "BenchError", status: "SERVICE_UNAVAILABLE", statusCode: "503" },
    ],
    ["an error that nobody declared", new RangeError("x"), { exceptionType: "RangeError", status: "", statusCode: "" }],
    [
      "one of Node's, whose code is a text",
      Object.assign(new Error("x"), { code: "ENOENT" }),
      { exceptionType: "Error", status: "", statusCode: "" },
    ],
    ["Thrift's own", new ApplicationError(6, "x"), { exceptionType: "TApplicationException", status: "", statusCode: "" }],
    ["one whose fields can't be read", unreadable, { exceptionType: "RangeError", status: "", statusCode: "" }],
    ["one that can't be looked at", refusing, { exceptionType: "Error", status: "", statusCode: "" }],
    ["what is no error", "text", { exceptionType: "string", status: "", statusCode: "" }],
    ["nothing", undefined, { exceptionType: "undefined", status: "", statusCode: "" }],
  ])("%s", (_, error, expected) => expect(failedWith(error)).toEqual({ success: false, ...expected }));
});
