import { freePort, makeTemporaryFolder, spawnTsserve, until, type TsserveProcess } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { run } from "./support/run.ts";
import { fakeSentry, type SentryEvent } from "./support/sentry.ts";

const here = JSON.stringify(import.meta.filename);
const head = `import { createRequire } from "node:module";\nconst require = createRequire(${here});\n`;
const fails =
  'const boom = () => { throw new Error("it fails", { cause: new Error("below it") }); };\nconst refuse = () => { throw Object.assign(new Error("not you"), { status: 403, statusCode: 403, expose: true }); };\n';
const late = 'if (new URL(url, "http://x").pathname === "/late") setTimeout(() => { throw new Error("nobody caught this"); });\n';

/** NestJS, whose decorators are called by hand. */
const nest = (create: string): string =>
  `require("reflect-metadata");
const { Controller, ForbiddenException, Get, Module } = require("@nestjs/common");
const { BaseExceptionFilter, NestFactory } = require("@nestjs/core");
class Api { order() { boom(); } refused() { throw new ForbiddenException(); } ok() { return "ok"; } }
for (const [path, name] of [["orders/:id", "order"], ["refused", "refused"], ["ok", "ok"]]) Get(path)(Api.prototype, name, Object.getOwnPropertyDescriptor(Api.prototype, name));
Controller()(Api);
class App {}
Module({ controllers: [Api] })(App);
export const makeApp = (_, context) => ${create};`;

/** `/orders/:id` fails by the app's fault, `/refused` by the client's. */
const apps: Readonly<Record<string, string>> = {
  "fastify with fastifyOptions":
    'export const makeApp = (_, context) => { const app = require("fastify")(context.fastifyOptions); app.get("/orders/:id", boom); app.get("/refused", refuse); app.get("/ok", () => "ok"); return app; };',
  "fastify with a logger of its own":
    'export const makeApp = () => { const app = require("fastify")({ logger: { level: "error" } }); app.get("/orders/:id", async () => boom()); app.get("/refused", refuse); app.get("/ok", () => "ok"); return app; };',
  "fastify without a logger":
    'export const makeApp = () => { const app = require("fastify")({ logger: false }); app.get("/orders/:id", boom); app.get("/refused", refuse); app.get("/ok", () => "ok"); return app; };',
  express:
    'export const makeApp = () => { const app = require("express")(); app.get("/orders/:id", boom); app.get("/refused", refuse); app.get("/ok", (_, response) => response.send("ok")); return app; };',
  koa: 'export const makeApp = () => { const Koa = require("koa"); const app = new (Koa.default ?? Koa)(); app.use((context) => { if (context.path.startsWith("/orders/")) boom(); if (context.path === "/refused") refuse(); context.body = "ok"; }); return app; };',
  hono: 'import { HTTPException } from "hono/http-exception";\nexport const makeApp = () => { const { Hono } = require("hono"); const app = new Hono(); app.get("/orders/:id", boom); app.get("/refused", () => { throw new HTTPException(403); }); app.get("/ok", (c) => c.text("ok")); return app; };'.replace(
    'import { HTTPException } from "hono/http-exception";\n',
    'const { HTTPException } = require("hono/http-exception");\n',
  ),
  "a plain listener":
    'export const makeApp = () => (request, response) => { if (request.url.startsWith("/orders/")) boom(); response.statusCode = request.url === "/refused" ? 403 : 200; response.end("ok"); };',
  fetch:
    'export const makeApp = () => ({ fetch: async (request) => { const { pathname } = new URL(request.url); if (pathname.startsWith("/orders/")) boom(); return new Response("ok", { status: pathname === "/refused" ? 403 : 200 }); } });',
  "h3 2":
    'export const makeApp = () => { const { H3, HTTPError } = require("h3v2"); const app = new H3({ silent: true }); app.get("/orders/:id", boom); app.get("/refused", () => { throw new HTTPError({ status: 403 }); }); app.get("/ok", () => "ok"); return app; };',
  // Only its listener is handed over: what it answers errors with is its own, and its log is the server's.
  "h3 1 that logs its errors":
    'export const makeApp = (_, context) => { const h3 = require("h3v1"); const onError = (error) => { if (error.statusCode >= 500) context.log.error({ err: error }, "it failed"); error.unhandled = false; }; const app = h3.createApp({ onError }); const router = h3.createRouter(); for (const [path, handle] of [["/orders/:id", boom], ["/refused", refuse], ["/ok", () => "ok"]]) router.get(path, h3.defineEventHandler(handle)); return h3.toNodeListener(app.use(router)); };',
  "nest on express": nest("NestFactory.create(App, { logger: false })"),
  "nest on fastify": nest(
    'NestFactory.create(App, new (require("@nestjs/platform-fastify").FastifyAdapter)(context.fastifyOptions), { logger: false })',
  ),
  // What they write as their own filter: it answers by passing errors on.
  "nest with a filter of its own": nest(
    "NestFactory.create(App, { logger: false }).then((app) => (app.useGlobalFilters(new (class extends BaseExceptionFilter { catch(error, host) { super.catch(error, host); } })(app.getHttpAdapter())), app))",
  ),
};

interface Watched extends TsserveProcess {
  readonly url: string;
  ended(): Promise<{ code: number | null }>;
}

async function serve(
  dsn: string,
  app: string,
  server = "",
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<Watched> {
  const port = await freePort();
  const folder = makeTemporaryFolder({
    "app.ini": `[server:main]\nfactory = tsserve/http\nmetrics.enabled = false\nsentry.dsn = ${dsn}\n${server}\n[app:main]\nfactory = ./app.mjs\n`,
    "app.mjs": app,
    "package.json": '{"name":"shop","version":"1.2.3","type":"module"}',
  });
  const spawned = spawnTsserve({ args: ["app.ini", "--bind", `127.0.0.1:${port}`, ...args], cwd: folder.path, env });
  await spawned.listening();
  return {
    ...spawned,
    url: `http://127.0.0.1:${port}`,
    ended: async () => {
      spawned.kill();
      return spawned.exited();
    },
  };
}

const messages = (events: readonly SentryEvent[]): (string | undefined)[] => events.map(({ exception }) => exception.values.at(-1)?.value);

describe("a failure", () => {
  test.each(Object.entries(apps))("of %s is reported once, with its request, and a client's fault is none", async (kind, app) => {
    await using sentry = await fakeSentry();
    await using server = await serve(sentry.dsn, `${head}${fails}${app}`);
    const headers = {
      authorization: "Bearer hunter2hunter2",
      cookie: "session=hunter2hunter2",
      "x-api-key": "hunter2hunter2",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
    };
    expect((await fetch(`${server.url}/ok`, { headers })).status).toBe(200);
    expect((await fetch(`${server.url}/refused`, { headers })).status).toBe(403);
    expect((await fetch(`${server.url}/orders/7`, { headers })).status).toBe(500);
    expect((await server.ended()).code).toBe(0);
    expect(messages(sentry.events)).toEqual(["it fails"]);
    const [event] = sentry.events;
    expect(event).toMatchObject({ level: "error", release: "shop@1.2.3", environment: "production", tags: { server: "server:main" } });
    expect(event?.exception.values.map(({ value }) => value)).toEqual(["below it", "it fails"]);
    // A line of the app's log says nothing of a request.
    if (!kind.endsWith("logs its errors")) expect(event?.tags["trace_id"]).toBe("0af7651916cd43dd8448eb211c80319c");
    if (/^fastify|^express|^nest/.test(kind)) expect(event?.tags["route"]).toBe("/orders/:id");
    expect(sentry.received.join("")).not.toContain("hunter2");
    expect(server.stdout() + server.stderr()).not.toContain("publickey0123456789");
  });

  test("that nobody caught is reported before the process ends with its own code", async () => {
    await using sentry = await fakeSentry();
    const app = `export const makeApp = () => (request, response) => { const { url } = request; ${late} response.end("ok"); };`;
    await using server = await serve(sentry.dsn, app);
    await fetch(`${server.url}/late`);
    expect(await server.exited()).toEqual({ code: 1, signal: null });
    expect(messages(sentry.events)).toEqual(["nobody caught this"]);
    expect(sentry.events[0]?.level).toBe("fatal");
  });

  test("of a start is reported, too", async () => {
    await using sentry = await fakeSentry();
    const { code } = await run(
      {
        "app.ini": `[server:main]\nfactory = tsserve/http\n[app:main]\nfactory = ./app.mjs\nsentry.dsn = ${sentry.dsn}\n`,
        "app.mjs": 'export const makeApp = () => { throw new Error("no database"); };',
      },
      ["app.ini", "--bind", "127.0.0.1:0"],
    );
    expect(code).toBe(3);
    expect(messages(sentry.events)).toEqual(["no database"]);
  });

  test("of a worker names its place in the fleet, over an upgrade", async () => {
    await using sentry = await fakeSentry();
    await using server = await serve(sentry.dsn, `${head}${fails}${apps["a plain listener"]}`, "", ["--workers", "1"]);
    await fetch(`${server.url}/orders/1`);
    await until("the first report", () => sentry.events.length === 1);
    server.kill("SIGHUP");
    const [first] = sentry.events;
    await until("a report of the next generation", async () => {
      await fetch(`${server.url}/orders/2`);
      return sentry.events.some(({ tags }) => tags["generation"] !== first?.tags["generation"]);
    });
    expect(first?.tags).toMatchObject({ worker: "0", generation: "1", server: "server:main" });
    expect(sentry.events.at(-1)?.tags).toMatchObject({ generation: "2" });
    expect((await server.ended()).code).toBe(0);
  });

  test("of a script is reported with its name, and changes nothing of its end", async () => {
    await using sentry = await fakeSentry();
    const files = {
      "app.ini": `[app:main]\nfactory = ./app.mjs\nsentry.dsn = ${sentry.dsn}\n`,
      "jobs.mjs":
        'export const clean = (config, args, context) => { if (args[0] === "log") { context.log.error(new Error("half of it failed")); return 7; } throw new Error("no disk"); };',
    };
    const thrown = await run(files, ["script", "app.ini", "./jobs.mjs:clean"]);
    const logged = await run(files, ["script", "app.ini", "./jobs.mjs:clean", "log"]);
    expect([thrown.code, logged.code]).toEqual([1, 7]);
    expect(messages(sentry.events)).toEqual(["no disk", "half of it failed"]);
    expect(sentry.events[0]).toMatchObject({ level: "fatal", tags: { job: "./jobs.mjs:clean" } });
    expect(thrown.stdout + thrown.stderr).not.toContain("publickey0123456789");
  });

  test("that repeats itself is reported ten times, and counted", async () => {
    await using sentry = await fakeSentry();
    await using server = await serve(sentry.dsn, `${head}${fails}${apps["a plain listener"]}`);
    for (let count = 0; count < 30; count++) await fetch(`${server.url}/orders/${count}`);
    await server.ended();
    expect(sentry.events).toHaveLength(10);
    expect(server.logs()).toContainEqual(expect.objectContaining({ held_back: 20, level: "warn" }));
  });

  test("holds none of the configuration's secrets", async () => {
    await using sentry = await fakeSentry();
    const app = "export const makeApp = (config) => () => { throw new Error(`no login with ${config.password}`); };";
    await using server = await serve(sentry.dsn, app, "[DEFAULT]\npassword = hunter2hunter2");
    await fetch(server.url);
    await server.ended();
    expect(messages(sentry.events)).toEqual(["no login with ****"]);
  });
});

describe("the tracker", () => {
  test.each(["silent", "refuses", "nonsense", "drips", "away"] as const)(
    "that %s costs no request and at most one line at warn",
    async (how) => {
      await using sentry = await fakeSentry(how === "away" ? "takes" : how);
      const dsn = how === "away" ? `http://publickey0123456789@127.0.0.1:${await freePort()}/1` : sentry.dsn;
      await using server = await serve(dsn, `${head}${fails}${apps["a plain listener"]}`);
      for (let count = 0; count < 5; count++) expect((await fetch(`${server.url}/orders/${count}`)).status).toBe(500);
      expect((await fetch(`${server.url}/ok`)).status).toBe(200);
      expect(await server.ended()).toEqual({ code: 0, signal: null });
      expect(server.logs().filter(({ logger, level }) => logger === "tsserve.sentry" && level === "warn").length).toBeLessThanOrEqual(1);
      expect(server.stdout() + server.stderr()).not.toContain("publickey0123456789");
    },
  );

  test("of the app's own Sentry.init is used, and ours stays out", async () => {
    await using ours = await fakeSentry();
    await using theirs = await fakeSentry();
    const init = `const Sentry = require("@sentry/node");\nSentry.init({ dsn: ${JSON.stringify(theirs.dsn)}, release: "theirs" });\n`;
    await using server = await serve(ours.dsn, `${head}${init}${fails}${apps["a plain listener"]}`);
    await fetch(`${server.url}/orders/1`);
    expect((await server.ended()).code).toBe(0);
    expect(ours.events).toEqual([]);
    expect(messages(theirs.events)).toEqual(["it fails"]);
    expect(theirs.events[0]).toMatchObject({ release: "theirs", tags: { server: "server:main" } });
  });

  test("is named by nothing: no package is loaded", async () => {
    const app = `${head}export const makeApp = () => (request, response) => response.end(String(Object.keys(require.cache).some((name) => name.includes("@sentry"))));`;
    const port = await freePort();
    const folder = makeTemporaryFolder({
      "app.ini": "[server:main]\nfactory = tsserve/http\nmetrics.enabled = false\n[app:main]\nfactory = ./app.mjs\n",
      "app.mjs": app,
    });
    await using server = spawnTsserve({ args: ["app.ini", "--bind", `127.0.0.1:${port}`], cwd: folder.path });
    await server.listening();
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe("false");
  });
});

test.each([
  ["https://sentry.example/1", "[server:main]"],
  ["not-a-url", "[app:main]"],
])("a DSN of %s is refused, and not shown", async (dsn, section) => {
  const { code, stderr } = await run(
    {
      "app.ini": `[server:main]\nfactory = tsserve/http\n[app:main]\nfactory = ./app.mjs\n`.replace(
        section,
        `${section}\nsentry.dsn = ${dsn}`,
      ),
    },
    ["check", "app.ini"],
  );
  expect(code).toBe(2);
  expect(stderr).toContain(`${section} sentry.dsn: expected a DSN`);
  expect(stderr).not.toContain(dsn);
});
