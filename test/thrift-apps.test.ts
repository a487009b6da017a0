import { fileURLToPath } from "node:url";
import { makeTemporaryFolder, openRaw, spawnTsserve, until } from "@tsserve/testing";
import { loadService, makeClient } from "tsserve/thrift";
import { describe, expect, test } from "vitest";
import { run } from "./support/run.ts";
import { addLater, generated, message } from "./support/thrift.ts";

const thriftPackage = JSON.stringify(import.meta.resolve("tsserve/thrift"));
const ini = "[server:main]\nfactory = tsserve/thrift\n[app:main]\nfactory = ./app.mjs\n";

const idls = {
  "base.thrift": `namespace * base
struct Point { 1: required i32 x, 2: i32 y = 7 }
exception Late { 1: i64 by_ms }
service Base { Point move(1: Point point, 2: i32 by) throws (1: Late late) }`,
  "all.thrift": `include "base.thrift"
typedef map<string, base.Point> Points
union Either { 1: string text, 2: base.Point point }
const Points ORIGINS = { "zero": { "x": 0 } }
service All extends base.Base {
  Points points(1: Points given),
  Either either(1: Either given),
  i64 sum(1: list<i64> numbers, 2: set<i32> more),
  uuid same(1: uuid id),
  string describe(1: string a = "default", 2: bool b),
}`,
};

async function withApp(
  app: string,
  use: (endpoint: string, folder: string) => Promise<void>,
  nodeArgs: readonly string[] = [],
): Promise<void> {
  const folder = makeTemporaryFolder({ ...idls, "app.ini": ini, "app.mjs": app.replaceAll('"tsserve/thrift"', thriftPackage) });
  try {
    await using server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path, nodeArgs });
    await use((await server.listening()).replace("thrift://", ""), folder.path);
  } finally {
    folder.remove();
  }
}

const wholeApp = `import { loadService } from "tsserve/thrift";
const service = loadService("./all.thrift", "All");
export const makeApp = () => ({ service, handler: {
  move(point, by) {
    if (by < 0) throw new service.exceptions.Late({ by_ms: 9007199254740993n });
    return { x: point.x + by, y: point.y };
  },
  points: (given) => given.size === 0 ? service.constants.ORIGINS : given,
  either: (given) => given,
  sum: (numbers, more) => [...numbers, ...[...more].map(BigInt)].reduce((a, b) => a + b, 0n),
  same: (id) => id,
  // In Apache's style.
  describe(a, b, done) { setTimeout(() => done(undefined, \`\${a} \${b}\`), 5); },
} });`;

describe.each([
  ["compiled", []],
  ["interpreted, where no code may be made of text", ["--disallow-code-generation-from-strings"]],
])("a service with all that the IDL has, %s", (_, nodeArgs) => {
  test("is served and called", () =>
    withApp(
      wholeApp,
      async (endpoint, folder) => {
        const service = loadService(`${folder}/all.thrift`, "All");
        for (const form of ["header compact", "framed binary"] as const) {
          const client = makeClient(service, { endpoint, form, timeoutMs: 10_000 });
          const call = (name: string, ...values: unknown[]): Promise<unknown> => client.call(name, values);
          await expect(call("move", { x: 1 }, 2)).resolves.toEqual({ x: 3, y: 7 });
          await expect(call("move", { x: 1, y: 2 }, -1)).rejects.toMatchObject({ name: "Late", by_ms: 2n ** 53n + 1n });
          await expect(call("points", new Map())).resolves.toEqual(new Map([["zero", { x: 0, y: 7 }]]));
          await expect(call("points", { a: { x: 1, y: 1 } })).resolves.toEqual(new Map([["a", { x: 1, y: 1 }]]));
          await expect(call("either", { point: { x: 1, y: 2 } })).resolves.toMatchObject({ point: { x: 1, y: 2 } });
          await expect(call("sum", [1, 2n ** 62n], [3, 4])).resolves.toBe(2n ** 62n + 8n);
          await expect(call("same", "123e4567-e89b-12d3-a456-426614174000")).resolves.toBe("123e4567-e89b-12d3-a456-426614174000");
          await expect(call("describe", undefined, true)).resolves.toBe("default true");
          await expect(call("is_healthy")).rejects.toThrow('has no method "is_healthy"');
          client.close();
        }
      },
      nodeArgs,
    ));
});

test("with passContext, methods take the request's context first; default parameters do no harm", () =>
  withApp(
    `import { loadService } from "tsserve/thrift";
const service = loadService("./all.thrift", "All");
export const makeApp = () => ({ service, passContext: true, handler: {
  move: (context, point, by) => point, points: (context, given) => given, either: (context, given) => given,
  sum: (context, numbers, more = new Set()) => 1n, same: (context, id) => id,
  describe: (context, a, b = false) => context.method + " " + a + " " + context.client,
} });`,
    async (endpoint, folder) => {
      const client = makeClient(loadService(`${folder}/all.thrift`, "All"), { endpoint });
      await expect(client.call("describe", ["x", true])).resolves.toBe("describe x 127.0.0.1");
      await expect(client.call("sum", [[], []])).resolves.toBe(1n);
      client.close();
    },
  ));

test("an i64 may be a number, refused where it is none", () =>
  withApp(
    wholeApp.replace('"All");', '"All", { i64: "number" });').replace("[...more].map(BigInt)", "more").replace(", 0n)", ", 0)"),
    async (endpoint, folder) => {
      const client = makeClient(loadService(`${folder}/all.thrift`, "All"), { endpoint });
      await expect(client.call("sum", [[1, 2], [3]])).resolves.toBe(6n);
      await expect(client.call("sum", [[2n ** 53n], []])).rejects.toMatchObject({
        type: 7,
        message: expect.stringContaining("an i64 is more than a number can hold") as string,
      });
      client.close();
    },
  ));

test("several services behind one port are called by their names", () =>
  withApp(
    `import { createRequire } from "node:module";
import { loadService } from "tsserve/thrift";
const require = createRequire(import.meta.url);
const Bench = require(${JSON.stringify(`${generated}Bench.js`)});
const handler = { ping() {}, echo: (p) => p, fail: () => "", add_later: (a, b) => a + b, note() {} };
const base = { service: loadService("./base.thrift", "Base"), handler: { move: (point) => point } };
export const makeApp = () => ({ services: { Bench: { service: Bench, handler }, Base: base, Same: new Bench.Processor(handler) } });`,
    async (endpoint, folder) => {
      using raw = await openRaw(`http://${endpoint}`);
      for (const name of ["Bench", "Same"]) raw.send(message("binary", `${name}:add_later`, addLater(20, 22, 0)));
      // The reply has the bare name, as that of Apache's MultiplexedProcessor.
      const reply = `${message("binary", "add_later", undefined, { type: 2 }).toString("latin1").slice(0, -1)}\x08\0\0\0\0\0\x2a\0`;
      await until("both answers", () => raw.received() === reply + reply);
      const { stdout } = await run({}, ["routes", "app.ini"], { cwd: folder });
      expect(stdout).toContain("thrift  Base:move\n");
      expect(stdout).toContain("thrift  Base:is_healthy\n");
      expect(stdout).toMatch(/^thrift {2}is_healthy$/m);
    },
  ));

describe("what is no app is told", () => {
  const load = `import { loadService } from "tsserve/thrift";\nconst service = loadService("./base.thrift", "Base");\n`;
  const serves =
    "tsserve/thrift serves a Processor that the Apache compiler generated, { service, handler } or { services: { NAME: … } }; service is what loadService gives, or a generated module";
  test.each([
    ["export const makeApp = () => {};", `the app factory gave undefined (does it return the app?); ${serves}`],
    ["export const makeApp = () => function app() {};", `the app factory gave the function app; ${serves}`],
    [
      "export const makeApp = () => ({ service: {}, handler: {} });",
      `the app factory gave an object with nothing in it as service; ${serves}`,
    ],
    [
      `${load}export const makeApp = () => ({ service });`,
      "the app factory gave undefined as handler, expected an object with a function for each method",
    ],
    [`${load}export const makeApp = () => ({ service, handler: {} });`, "the app factory gave a handler without a function for move"],
    [
      `${load}export const makeApp = () => ({ services: { B: { service, handler: {} } } });`,
      "the app factory gave a handler of services.B without a function for move",
    ],
  ])("%s", async (app, says) => {
    const { code, stderr } = await run({ ...idls, "app.ini": ini, "app.mjs": app.replaceAll('"tsserve/thrift"', thriftPackage) }, [
      "app.ini",
      "--bind",
      "127.0.0.1:0",
    ]);
    expect([stderr.trimEnd(), code]).toEqual([`app.ini:4: [app:main] factory: ${says}`, 3]);
  });

  test.each([
    ['loadService("./none.thrift", "X")', "FOLDER/none.thrift:1:1: there is no such file"],
    ['loadService("./base.thrift", "Bas")', 'FOLDER/base.thrift has no service "Bas", did you mean "Base"?'],
    ['loadService("./wrong.thrift", "X")', 'FOLDER/wrong.thrift:2:15: the type "Piont" is not known, did you mean "Point"?'],
  ])("%s", async (call, says) => {
    const app = `import { loadService } from ${thriftPackage};\nexport const makeApp = () => ${call};`;
    const wrong = "struct Point {}\nstruct S { 1: Piont p }\nservice X {}";
    const { code, stderr } = await run({ ...idls, "wrong.thrift": wrong, "app.ini": ini, "app.mjs": app }, [
      "app.ini",
      "--bind",
      "127.0.0.1:0",
    ]);
    expect(stderr).toContain(says);
    expect(code).toBe(3);
  });
});

describe("tsserve thrift-types", () => {
  test("writes what the IDL says; with --i64 number, numbers", async () => {
    const bench = fileURLToPath(new URL("fixtures/thrift/bench.thrift", import.meta.url));
    const { stdout, code } = await run(idls, ["thrift-types", "all.thrift"]);
    expect(code).toBe(0);
    expect(stdout).toContain("export type Either =\n  | { text: string; point?: undefined }\n  | { point: Point; text?: undefined };");
    expect(stdout).toContain("export interface Point {\n  x: number;\n  y: number;\n}");
    expect(stdout).toContain("  move(point: Point, by: number): Promise<Point>;");
    expect(stdout).toContain("  sum(numbers: bigint[], more: Set<number>): bigint | Promise<bigint>;");
    const { stdout: numbers } = await run(idls, ["thrift-types", bench, "--i64", "number"]);
    expect(numbers).toContain("  big?: number | undefined;");
  });

  test("looks for includes in the folders of -I, in their order, and in those of TSSERVE_INCLUDE", async () => {
    const files = {
      "app/main.thrift": 'include "shared.thrift" service S { shared.Colour get() }',
      "one/shared.thrift": "enum Colour { RED = 1 }",
      "two/shared.thrift": "enum Colour { RED = 2 }",
    };
    const red = async (args: readonly string[], env = {}): Promise<string | undefined> =>
      /RED: (\d)/.exec((await run(files, ["thrift-types", "app/main.thrift", ...args], { env })).stdout)?.[1];
    expect(await red(["-I", "one", "-I", "two"])).toBe("1");
    expect(await red(["--include", "none", "-Itwo"])).toBe("2");
    expect(await red([], { TSSERVE_INCLUDE: "none:two" })).toBe("2");
    expect(await run(files, ["thrift-types", "app/main.thrift", "-I", "none"])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: `FOLDER/app/main.thrift:1:1: "shared.thrift" is not found (looked for FOLDER/app/shared.thrift, FOLDER/none/shared.thrift), and line 1 uses the type "shared.Colour" of it\n`,
    });
    expect(await run(files, ["thrift-types", "app/main.thrift", "-I"])).toMatchObject({ code: 2 });
  });

  test("warns of what Apache's compiler warns of, and writes the types", async () => {
    const files = { "main.thrift": 'include "gone.thrift" struct S { 1: i8 a = 200 }' };
    expect(await run(files, ["thrift-types", "main.thrift"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("export interface S {") as string,
      stderr: `FOLDER/main.thrift:1:1: "gone.thrift" is not found (looked for FOLDER/gone.thrift) (warning)
FOLDER/main.thrift:1:44: 200 does not fit into a value of type i8: it is -56 on the wire (warning)\n`,
    });
  });

  test("tells what is wrong", async () => {
    expect(await run({}, ["thrift-types", "none.thrift"])).toMatchObject({
      code: 2,
      stderr: "FOLDER/none.thrift:1:1: there is no such file\n",
    });
    expect(await run({}, ["thrift-types"])).toMatchObject({
      code: 2,
      stderr: "tsserve: expected tsserve thrift-types FILE.thrift\nTry tsserve --help.\n",
    });
    expect(await run(idls, ["thrift-types", "all.thrift", "--i64", "long"])).toMatchObject({
      code: 2,
      stderr: 'tsserve: --i64: expected bigint or number, found "long"\nTry tsserve --help.\n',
    });
  });
});
