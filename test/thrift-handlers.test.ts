import { fileURLToPath } from "node:url";
import { makeTemporaryFolder, spawnTsserve, until } from "@tsserve/testing";
import { ApplicationError, type ThriftClient } from "tsserve/thrift";
import { describe, expect, test } from "vitest";
import { bench, benchClient, forms, generated } from "./support/thrift.ts";

const thriftPackage = JSON.stringify(import.meta.resolve("tsserve/thrift"));
const idl = JSON.stringify(fileURLToPath(new URL("fixtures/thrift/bench.thrift", import.meta.url)));

const heads = {
  loaded: `import { loadService } from ${thriftPackage};
const service = loadService(${idl}, "Bench");
const { BenchError } = service.exceptions;`,
  generated: `import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
const service = require(${JSON.stringify(`${generated}Bench.js`)});
const { BenchError } = require(${JSON.stringify(`${generated}bench_types.js`)});`,
};

/** Serves a handler of the Bench service; methods that it lacks are there. */
async function withHandler(
  head: string,
  handler: string,
  use: (client: ThriftClient, logs: () => readonly Record<string, unknown>[]) => Promise<void>,
): Promise<void> {
  const app = `${head}
const rest = { ping() {}, echo: (payload) => payload, fail: () => "fine", add_later: (a, b) => a + b, note() {} };
export const makeApp = () => ({ service, handler: { ...rest, ${handler} } });`;
  const folder = makeTemporaryFolder({
    "app.mjs": app,
    "app.ini": "[server:main]\nfactory = tsserve/thrift\n[app:main]\nfactory = ./app.mjs\n",
  });
  try {
    await using server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path, nodeArgs: ["--expose-gc"] });
    using client = benchClient((await server.listening()).replace("thrift://", ""), { timeoutMs: 20_000 });
    await use(client, () => server.logs());
    await expect(client.call("is_healthy", []), "the process goes on").resolves.toBe(true);
    server.kill("SIGTERM");
    expect(await server.exited()).toMatchObject({ code: 0 });
  } finally {
    folder.remove();
  }
}

const warned = (logs: readonly Record<string, unknown>[]): number =>
  logs.filter(({ msg }) => typeof msg === "string" && msg.includes("has one parameter more than the IDL")).length;

describe.each(Object.entries(heads))("a handler in callback style, %s", (_, head) => {
  test("may be async: what it throws is what the call ends with, declared or not, and a one-way call ends, too", () =>
    withHandler(
      head,
      `async add_later(a, b, delay, done) { await null; throw new Error("an async handler failed"); },
       async fail(how, done) { if (how === 1) throw new BenchError({ code: 404, message: "declared" }); done(null, "called back"); },
       async note(text, done) { throw new Error("one-way failed"); },
       async echo(payload, done) { done(null, payload); throw new Error("afterwards"); },`,
      async (client, logs) => {
        await expect(client.call("add_later", [1, 2, 0])).rejects.toMatchObject({ name: "TApplicationException", type: 6 });
        await expect(client.call("fail", [1])).rejects.toBeInstanceOf(bench.exceptions["BenchError"]);
        await expect(client.call("fail", [0])).resolves.toBe("called back");
        await client.call("note", ["x"]);
        await expect(client.call("echo", [{ id: 1, tags: [], items: [] }])).resolves.toMatchObject({ id: 1 });
        // It is told after the answer, and the others before theirs.
        await until("what came last", () => logs().some(({ msg }) => msg === "the handler failed after it had called back"));
        expect(logs().filter(({ msg }) => msg === "the handler failed")).toHaveLength(2);
        expect(warned(logs())).toBe(0);
      },
    ));

  test("that gives a value in a promise instead answers with it, and is warned of once", () =>
    withHandler(head, `add_later: async (a, b, delay, options) => a + b,`, async (client, logs) => {
      await expect(client.call("add_later", [1, 2, 0])).resolves.toBe(3);
      await expect(client.call("add_later", [2, 2, 0])).resolves.toBe(4);
      await until("the warning", () => warned(logs()) > 0);
      expect(warned(logs())).toBe(1);
    }));

  test("that gives a value, or nothing, is answered for as soon as nobody can call back any more", () =>
    withHandler(
      head,
      `add_later(a, b, delay, options) { return a + b; }, ping(options) {},
       fail() { globalThis.gc(); return "collected"; },`,
      async (client, logs) => {
        const found = new Map<string, unknown>();
        const ended = Promise.all([
          client.call("add_later", [1, 2, 0]).then((value) => found.set("sum", value)),
          client.call("ping", []).catch((error: unknown) => found.set("silent", error)),
        ]);
        while (found.size < 2) await client.call("fail", [0]);
        await ended;
        expect(found.get("sum")).toBe(3);
        expect(found.get("silent")).toBeInstanceOf(ApplicationError);
        const isTold = ({ err }: Readonly<Record<string, unknown>>): boolean =>
          JSON.stringify(err ?? "").includes("dropped its callback without calling it");
        await until("the dropped one to be told", () => logs().some(isTold) && warned(logs()) > 0);
        expect(warned(logs())).toBe(1);
      },
    ));

  test("that gives what goes on later, and calls back, is nothing to warn of", () =>
    withHandler(
      head,
      `add_later: (a, b, delay, done) => setTimeout(() => done(null, a + b), delay),
       fail: (how, done) => { Promise.resolve().then(() => done(how === 1 ? new BenchError({ code: 400 }) : null, "later")); },`,
      async (client, logs) => {
        await expect(client.call("add_later", [1, 2, 5])).resolves.toBe(3);
        await expect(client.call("fail", [0])).resolves.toBe("later");
        await expect(client.call("fail", [1])).rejects.toMatchObject({ code: 400 });
        expect(warned(logs())).toBe(0);
      },
    ));

  test("a promise that misbehaves ends its own call only", () =>
    withHandler(
      head,
      `add_later: () => ({ then() { throw new Error("then throws"); } }),
       fail: () => ({ get then() { throw new Error("no then"); } }),
       echo: (payload) => ({ then(resolve, reject) { resolve(payload); reject(new Error("twice")); resolve(payload); } }),`,
      async (client) => {
        await expect(client.call("add_later", [1, 2, 5])).rejects.toMatchObject({ type: 6 });
        await expect(client.call("fail", [0])).rejects.toMatchObject({ type: 6 });
        await expect(client.call("echo", [{ id: 7, tags: [], items: [] }])).resolves.toMatchObject({ id: 7 });
      },
    ));
});

test("exceptions are known by their definition: of the same file loaded twice, of another service, of an app that knows the file by a link", async () => {
  const files = {
    "shared.thrift": "exception Gone { 1: string what } exception Late { 1: i32 ms } service Base { string base() throws (1: Gone gone) }",
    "own.thrift": `include "shared.thrift"
exception Late { 1: string reason }
service Own extends shared.Base { string own() throws (1: Late late, 2: shared.Late other) }`,
    "app.ini": "[server:main]\nfactory = tsserve/thrift\n[app:main]\nfactory = ./app.mjs\n",
    "app.mjs": `import { symlinkSync } from "node:fs";
import { loadService } from ${thriftPackage};
symlinkSync("shared.thrift", new URL("link.thrift", import.meta.url));
const service = loadService("./own.thrift", "Own");
const base = loadService("./shared.thrift", "Base");
const linked = loadService("./link.thrift", "Base", { i64: "number" });
let calls = 0;
export const makeApp = () => ({ service, handler: {
  base() { throw new [base, linked, service][calls++ % 3].exceptions.Gone({ what: "it" }); },
  own() { throw calls++ % 2 === 0 ? new service.exceptions.Late({ reason: "own" }) : new base.exceptions.Late({ ms: 5 }); },
} });`,
  };
  const folder = makeTemporaryFolder(files);
  try {
    await using server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path });
    const endpoint = (await server.listening()).replace("thrift://", "");
    const { loadService, makeClient } = await import("tsserve/thrift");
    const service = loadService(`${folder.path}/own.thrift`, "Own");
    for (const form of forms) {
      const client = makeClient(service, { endpoint, form, timeoutMs: 10_000 });
      for (let call = 0; call < 3; call++) await expect(client.call("base", [])).rejects.toMatchObject({ name: "Gone", what: "it" });
      const late = await Promise.all([1, 2].map(() => client.call("own", []).catch((error: unknown) => error)));
      const found = late.map((error) => (error as { reason?: string }).reason ?? (error as { ms?: number }).ms);
      expect(new Set(found)).toEqual(new Set([5, "own"]));
      client.close();
    }
  } finally {
    folder.remove();
  }
});
