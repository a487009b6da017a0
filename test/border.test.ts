import { readFileSync } from "node:fs";
import { errorCodes } from "@tsserve/config";
import { makeTemporaryFolder, spawnTsserve, type TsserveProcess } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { run } from "./support/run.ts";

const ini = (server = "", factory = "./app.mjs"): string =>
  `[server:main]\nfactory = tsserve/http\nmetrics.enabled = false\n${server}\n[app:main]\nfactory = ${factory}\n`;

/** Serves these files, and stops in time. */
async function withServer(
  files: Readonly<Record<string, string>>,
  use: (base: string, server: TsserveProcess) => Promise<void>,
): Promise<void> {
  const folder = makeTemporaryFolder({ "app.ini": ini(), ...files });
  try {
    await using server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path });
    await use(await server.listening(), server);
  } finally {
    folder.remove();
  }
}

test("docs/errors.md lists every code there is, with its exit code", () => {
  const page = readFileSync(new URL("../docs/errors.md", import.meta.url), "utf8");
  const listed = [...page.matchAll(/^\| `(ERR_TSSERVE_\w+)` +\| (\d)/gm)].map(([, code, exit]) => [code, Number(exit)]);
  expect(Object.fromEntries(listed)).toEqual({ ...errorCodes });
});

/** How code of others fails. */
const failures = {
  throws: "throw new Error('by design')",
  "throws a text": "throw 'by design'",
  "throws an object without a prototype": "throw Object.assign(Object.create(null), { toString: undefined })",
  "throws an error that can't be read": "throw Object.defineProperty(new Error('x'), 'message', { get() { throw 1; } })",
  rejects: "return Promise.reject(new Error('by design'))",
  "gives a thenable that rejects": "return { then: (_, reject) => reject(new Error('by design')) }",
  "gives a thenable that throws": "return { get then() { throw new Error('by design'); } }",
} as const;

describe.each(Object.entries(failures))("something of the app's that %s", (_, code) => {
  test("fails alone: a request, a probe, a listener of shutdown, a hook", async () => {
    const app = `
      export function makeApp(config, context) {
        context.state.once("shutdown", function brokenListener() { ${code} });
        context.state.once("shutdown", () => context.log.info("heard of it"));
        context.onStop(() => context.log.info("the first hook ran"));
        context.onStop(function brokenHook() { ${code} });
        context.onHealthCheck(function brokenCheck() { ${code} });
        return (request, response) => {
          if (request.url === "/fails") { ${code} }
          if (request.url === "/slow") return context.log.info("it is slow"), void setTimeout(() => response.end("slow"), 300);
          response.end("well");
        };
      }`;
    await withServer({ "app.mjs": app }, async (base, server) => {
      const failed = await fetch(`${base}/fails`);
      expect(failed.status).toBe(500);
      expect(await server.log(/^the app failed to answer/)).toMatchObject({ level: "error", req_id: expect.any(String) });
      expect((await fetch(`${base}/health`)).status).toBe(503);
      expect(JSON.stringify(await server.log(/health check failed/))).toMatch(/brokenCheck.*app\.mjs:/);
      expect(await (await fetch(base)).text()).toBe("well");
      const slow = fetch(`${base}/slow`);
      await server.log(/^it is slow$/);
      server.kill();
      expect(await (await slow).text()).toBe("slow");
      // The hook that failed is the exit code's reason.
      expect((await server.exited()).code).toBe(1);
      const said = server.logs();
      expect(said.filter(({ msg }) => /listener of shutdown "brokenListener" of .*app\.mjs:\d+ failed/.test(msg))).toHaveLength(1);
      expect(said.filter(({ msg }) => /onStop hook "brokenHook" of .*app\.mjs:\d+ failed/.test(msg))).toHaveLength(1);
      for (const each of [/^heard of it/, /^the first hook ran/]) expect(said.some(({ msg }) => each.test(msg))).toBe(true);
      expect(said.filter(({ level }) => level === "fatal")).toEqual([]);
    });
  });

  test("fails alone: drain, stats and addresses of a server of one's own, a pool", async () => {
    const server = `
      import { createServer } from "node:http";
      export function makeServer(config, listeners, app, context) {
        const server = createServer(app);
        return {
          start: () => listeners[0].listen(server),
          drain() { ${code} },
          stop: async () => (server.close(), { cut: 0 }),
          stats() { ${code} },
          addresses() { if (context.state.state === "STARTING") return; ${code.startsWith("throw") ? code : "throw new Error('by design')"} },
        };
      }`;
    const app = `
      export default (config, context) => {
        context.registerPool("broken", () => { ${code} });
        return (request, response) => { response.setHeader("connection", "close"); response.end("well"); };
      };`;
    const own = ini("monitoring.connection_pool = true")
      .replace("tsserve/http", "./server.mjs")
      .replace("metrics.enabled = false\n", "metrics.endpoint = 127.0.0.1:0\n");
    const folder = makeTemporaryFolder({ "app.ini": own, "app.mjs": app, "server.mjs": server });
    try {
      await using process = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path });
      await process.log(/^listening on/);
      process.kill();
      expect((await process.exited()).code).toBe(0);
      expect(process.logs().some(({ msg }) => msg.startsWith("drain() of the server failed"))).toBe(true);
      expect(process.logs().filter(({ level }) => level === "fatal")).toEqual([]);
    } finally {
      folder.remove();
    }
  });
});

test("a handler module that throws, at once or later, costs its request", async () => {
  const handler = `export const makeHandler = (next) => (request, response) => {
    if (request.url === "/throws") throw new Error("of the handler");
    if (request.url === "/rejects") return Promise.reject(new Error("of the handler"));
    return next(request, response);
  };`;
  const files = {
    "app.ini": ini("handler = ./handler.mjs"),
    "app.mjs": "export default () => (_, response) => response.end('well');",
    "handler.mjs": handler,
  };
  await withServer(files, async (base, server) => {
    for (const path of ["/throws", "/rejects"]) expect((await fetch(`${base}${path}`)).status).toBe(500);
    expect(await (await fetch(base)).text()).toBe("well");
    expect(await server.log(/^the handler \.\/handler\.mjs failed to answer a request/)).toMatchObject({
      err: { message: "of the handler" },
    });
  });
});

describe("what ends a start, with --log-format json: one JSON line on stderr", () => {
  const cases: readonly (readonly [string, Readonly<Record<string, string>>, readonly string[], object])[] = [
    ["the command line", {}, ["app.ini", "--nope"], { code: "ERR_TSSERVE_USAGE", exit_code: 2 }],
    ["no file", {}, ["nope.ini"], { code: "ERR_TSSERVE_USAGE", exit_code: 2 }],
    [
      "the configuration",
      { "app.ini": ini("drain_tiem = 5") },
      ["app.ini"],
      { code: "ERR_TSSERVE_CONFIGURATION", exit_code: 2, problems: [expect.objectContaining({ line: 4, key: "drain_tiem" })] },
    ],
    ["no module", {}, ["app.ini"], { code: "ERR_TSSERVE_MODULE_NOT_FOUND", exit_code: 3 }],
    [
      "a factory that throws",
      { "app.mjs": "export default () => {\n  throw new RangeError('no database');\n};" },
      ["app.ini"],
      {
        code: "ERR_TSSERVE_FACTORY_THREW",
        exit_code: 3,
        err: { type: "RangeError", message: "no database", stack: expect.stringMatching(/app\.mjs:2/) },
      },
    ],
    ["no app", { "app.mjs": "export default () => 5;" }, ["app.ini"], { code: "ERR_TSSERVE_APP_KIND", exit_code: 3 }],
    [
      "no place to listen",
      { "app.mjs": "export default () => () => {};" },
      ["app.ini", "--bind", "203.0.113.9:80"],
      { code: "ERR_TSSERVE_LISTEN", exit_code: 3 },
    ],
  ];
  for (const [name, files, args, expected] of cases) {
    test(name, async () => {
      const { stderr, code } = await run({ "app.ini": ini(), ...files }, [...args, "--log-format", "json"]);
      const lines = stderr.trimEnd().split("\n");
      expect(lines).toHaveLength(1);
      const line = JSON.parse(lines[0] ?? "") as { exit_code: number };
      expect(line).toMatchObject({ level: "fatal", msg: expect.any(String), time: expect.any(String), ...expected });
      expect(code).toBe(line.exit_code);
    });
  }
});

test.each([
  ["throws", { type: "RangeError", message: "no database", stack: expect.stringMatching(/^RangeError: no database\n {4}at .*job\.mjs:1/) }],
  ["rejects", { type: "Error", message: "no rows" }],
  ["fails", { type: "Error", message: "a value that is no Error was thrown: just text" }],
])("what a script %s with is one JSON line on stderr, too", async (name, err) => {
  const job =
    "export const throws = () => { throw new RangeError('no database'); }; export const rejects = async () => { throw new Error('no rows'); }; export const fails = () => { throw 'just text'; };\n";
  const files = { "app.ini": ini(), "job.mjs": job };
  const { stderr, code } = await run(files, ["script", "app.ini", `./job.mjs:${name}`], { env: { TSSERVE_LOG_FORMAT: "json" } });
  expect(code).toBe(1);
  expect(JSON.parse(stderr)).toMatchObject({ level: "fatal", exit_code: 1, msg: `./job.mjs:${name} threw: ${err.message}`, err });
});

test("an error of the user's factory ends with the user's frames", async () => {
  const app = "export function makeApp() {\n  deeper();\n}\nfunction deeper() {\n  throw new Error('no database');\n}";
  const { stderr } = await run({ "app.ini": ini(), "app.mjs": app }, ["app.ini"]);
  expect(stderr.trimEnd().split("\n").slice(1)).toEqual([
    "Error: no database",
    expect.stringMatching(/^ {4}at deeper \(.*app\.mjs:5:9\)$/),
    expect.stringMatching(/^ {4}at .*makeApp \(.*app\.mjs:2:3\)$/),
  ]);
});
