import { Health } from "@tsserve/server";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { loadIdl } from "../idl/load-idl.ts";
import type { Service } from "../idl/model.ts";
import { makeService } from "../service/load-service.ts";
import { methodOf } from "./handler-method.ts";
import { openApp } from "./open-app.ts";

const log = pino({ level: "silent" });
const health = undefined as unknown as Health;
const service = (text: string, name = "S"): ReturnType<typeof makeService> => {
  const idl = loadIdl("main.thrift", { locate: (path) => path, read: () => text });
  return makeService(idl, idl.services.get(name) as Service);
};
const plain = service("service S { i32 get(1: i32 a), void toString(), void constructor() }");
const all = { get: (a: number) => a, toString() {}, constructor() {} };

class Processor {
  _handler: object;
  constructor(handler: object) {
    this._handler = handler;
  }
  process(): void {}
  process_get(): void {}
  process_toString(): void {}
}

describe("what an app answers to", () => {
  test.each<[string, unknown, string[]]>([
    ["a loaded service", { service: plain, handler: all }, ["get", "toString", "constructor", "is_healthy"]],
    ["a generated module", { service: { Processor }, handler: all }, ["get", "toString", "is_healthy"]],
    ["its Processor", { service: Processor, handler: all }, ["get", "toString", "is_healthy"]],
    ["one that is made", new Processor(all), ["get", "toString", "is_healthy"]],
    [
      "several",
      { services: { A: { service: plain, handler: all }, B: new Processor(all) } },
      ["A:get", "A:toString", "A:constructor", "B:get", "B:toString", "is_healthy", "A:is_healthy", "B:is_healthy"],
    ],
  ])("%s", (_, app, names) => expect([...openApp(app, health, log).keys()]).toEqual(names));

  test("what is doubtful in a service's files is logged", () => {
    const lines: string[] = [];
    const doubtful = service("struct T { 1: i8 a = 200 } service S { void get() }");
    openApp({ service: doubtful, handler: all }, health, pino({ level: "warn" }, { write: (line: string) => lines.push(line) }));
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
      "main.thrift:1:22: 200 does not fit into a value of type i8: it is -56 on the wire",
    ]);
  });

  test("a health method of the handler's own is not replaced", () => {
    const own = service("service S { bool is_healthy() }");
    const handler = { is_healthy: () => true };
    expect(openApp({ service: own, handler }, health, log).get("is_healthy")?.isProbe).toBe(undefined);
    expect(openApp({ service: own, handler: {} }, health, log).get("is_healthy")?.isProbe).toBe(true);
  });

  test.each<[unknown, string]>([
    [undefined, "undefined (does it return the app?)"],
    [null, "null"],
    [7, "a number"],
    [{}, "an object with nothing in it"],
    [{ service: plain }, "undefined as handler"],
    [{ service: plain, handler: () => undefined }, "the function"],
    [{ service: plain, handler: {} }, "a handler without a function for get, toString, constructor"],
    [{ service: plain, handler: { get: 5, toString() {}, constructor() {} } }, "a handler without a function for get"],
    [{ service: {}, handler: {} }, "an object with nothing in it as service"],
    [{ services: { A: { service: plain, handler: {} } } }, "a handler of services.A without a function for get, toString, constructor"],
    [{ services: { A: undefined } }, "undefined of services.A"],
    [new Processor({}), "a handler without a function for get, toString"],
  ])("%j is none", (app, says) => expect(() => openApp(app, health, log)).toThrow(`the app factory gave ${says}`));
});

describe("a handler's method", () => {
  class Handler {
    get(): void {}
    toString(): string {
      return "own";
    }
  }
  class Derived extends Handler {}
  const proxy = new Proxy({}, { get: () => () => "by proxy" });

  test.each<[string, object, string, boolean]>([
    ["of an object", { get() {} }, "get", true],
    ["of a class", new Handler(), "get", true],
    ["of a class that it extends", new Derived(), "get", true],
    ["of a proxy", proxy, "anything", true],
    ["that is no function", { get: 5 }, "get", false],
    ["that is missing", {}, "get", false],
    ["that every object inherits", {}, "toString", false],
    ["that every object inherits, and this one has", { hasOwnProperty: () => true }, "hasOwnProperty", true],
    ["that every object inherits, and a class has", new Handler(), "toString", true],
    ["that is the class", new Handler(), "constructor", false],
    ["that is called constructor", { constructor() {} }, "constructor", true],
    ["of an object without a prototype", Object.assign(Object.create(null) as object, { toString() {} }), "toString", true],
    ["that is the prototype", {}, "__proto__", false],
  ])("%s", (_, handler, name, isThere) => expect(methodOf(handler, name) !== undefined).toBe(isThere));
});
