import { createRequire } from "node:module";
import { connect } from "node:net";
import { freePort, makeTemporaryFolder, spawnTsserve, until, type TsserveProcess } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { run } from "./support/run.ts";

const require = createRequire(import.meta.url);
const packageOf = (name: string): string => JSON.stringify(require.resolve(name));
const ini = (factory: string, server = "metrics.enabled = false"): string =>
  `[server:main]\nfactory = tsserve/http\n${server}\n[app:main]\nfactory = ${factory}\n`;

async function withApp(
  factory: string,
  files: Readonly<Record<string, string>>,
  use: (base: string, server: TsserveProcess) => Promise<void>,
  server?: string,
): Promise<void> {
  const folder = makeTemporaryFolder({ "app.ini": ini(factory, server), ...files });
  try {
    await using process = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path });
    await use(await process.listening(), process);
    process.kill();
    expect((await process.exited()).code).toBe(0);
  } finally {
    folder.remove();
  }
}

const express = `
  const express = require(${packageOf("express")});
  const app = express();
  const api = express.Router(), users = express.Router({ mergeParams: true });
  users.get("/:id", (request, response) => response.json({ id: request.params.id, ip: request.ip, protocol: request.protocol }));
  users.get("/health", (request, response) => response.json({ own: true }));
  api.use("/of/:group", users);
  app.use("/api/v1", api);
  app.get("/", (request, response) => response.json({ parent: Boolean(module.parent), main: require.main === module }));
  if (!module.parent) app.listen(1);
  if (require.main === module) app.listen(1);
  module.exports = app;`;

const koa = `
  const Koa = require(${packageOf("koa")});
  const { Router } = require(${packageOf("@koa/router")});
  const app = new Koa(), router = new Router({ prefix: "/api" });
  router.get("/users/:id", (context) => { context.body = { id: context.params.id, ip: context.ip }; });
  router.get("/boom", () => { throw new Error("koa fails"); });
  app.use(router.routes());
  module.exports = app;`;

const hono = `
  import { Hono } from ${JSON.stringify(import.meta.resolve("hono"))};
  const app = new Hono(), sub = new Hono();
  app.use("*", async (context, next) => { await next(); });
  sub.get("/users/:id", (context) => context.json({ id: context.req.param("id") }));
  app.route("/api", sub);
  app.get("/", (context) => context.text("hello"));
  export default app;`;

describe("the app itself where a factory is expected", () => {
  const kinds: readonly (readonly [string, string, string, string, string, string])[] = [
    ["Express, CommonJS", "app.cjs", express, "/api/v1/of/a/7", '"id":"7"', "/api/v1/of/:group/:id"],
    ["a Koa app", "app.cjs", koa, "/api/users/7", '"id":"7"', "/api/users/:id"],
    ["Koa's callback()", "app.cjs", `${koa}\nmodule.exports = app.callback();`, "/api/users/7", '"id":"7"', "*"],
    ["a Hono app as the default export", "app.mjs", hono, "/api/users/7", '"id":"7"', "/api/users/:id"],
    [
      "an http.Server",
      "app.mjs",
      `import { createServer } from "node:http";\nexport default createServer((request, response) => response.end("id:" + request.url));`,
      "/7",
      "id:/7",
      "*",
    ],
    [
      "{ fetch } as the default export of TypeScript that is compiled to CommonJS",
      "app.ts",
      `import type { Server } from "node:http";\nexport type Unused = Server;\nexport default { fetch: (request: Request) => new Response("id:" + new URL(request.url).pathname) };`,
      "/7",
      "id:/7",
      "*",
    ],
    [
      "a router that has a method for every name, as itty-router's has",
      "app.mjs",
      `const own = { fetch: async (request) => new Response("id:" + new URL(request.url).pathname) };\nexport default Object.setPrototypeOf(own, new Proxy({}, { get: () => () => own }));`,
      "/7",
      "id:/7",
      "*",
    ],
    [
      "a Fastify instance that a promise gives",
      "app.mjs",
      `import Fastify from ${JSON.stringify(import.meta.resolve("fastify"))};\nconst app = Fastify();\napp.get("/users/:id", async (request) => ({ id: request.params.id }));\nexport default Promise.resolve(app);`,
      "/users/7",
      '"id":"7"',
      "/users/:id",
    ],
  ];
  for (const [kind, file, source, path, body, pattern] of kinds) {
    test(`${kind}: served, with its routes in the metrics and the log`, async () => {
      const port = await freePort();
      await withApp(
        `./${file}`,
        { [file]: source },
        async (base, server) => {
          expect(await (await fetch(`${base}${path}`)).text()).toContain(body);
          expect(await (await fetch(`${base}/health`)).json()).toEqual({ status: "ok" });
          expect(await server.log(/^request completed/)).toMatchObject({ path, ...(pattern === "*" ? {} : { route: pattern }) });
          const text = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text().catch(() => "");
          await until("the metric", async () => (await text().catch(() => "")).includes(`http_endpoint="${pattern}"`) || undefined);
          expect(server.logs().filter(({ level }) => level === "warn")).toEqual([]);
        },
        `metrics.endpoint = 127.0.0.1:${port}`,
      );
    });
  }

  test("CommonJS is loaded as require loads it: what serves only when it is run does not", () =>
    withApp("./app.cjs", { "app.cjs": express }, async (base) => {
      expect(await (await fetch(base)).json()).toEqual({ parent: true, main: false });
    }));

  test("routes are told in full, without middleware and repeats", async () => {
    const routesOf = async (file: string, source: string): Promise<string[]> =>
      (await run({ "app.ini": ini(`./${file}`), [file]: source }, ["routes", "app.ini"])).stdout
        .trim()
        .split("\n")
        .map((line) => line.replace(/ +/, " "));
    expect(await routesOf("app.cjs", express)).toEqual(["GET /api/v1/of/:group/:id", "GET /api/v1/of/:group/health", "GET /"]);
    expect(await routesOf("app.cjs", koa)).toEqual(expect.arrayContaining(["GET /api/users/:id", "GET /api/boom"]));
    expect(await routesOf("app.mjs", hono)).toEqual(["GET /api/users/:id", "GET /"]);
  });

  test("a /health inside a mounted router is the app's", () => {
    const own = `const express = require(${packageOf("express")});\nconst app = express(), router = express.Router();\nrouter.get("/", (_, response) => response.json({ own: true }));\napp.use("/health", router);\nmodule.exports = app;`;
    return withApp("./app.cjs", { "app.cjs": own }, async (base) => {
      expect(await (await fetch(`${base}/health`)).json()).toEqual({ own: true });
    });
  });

  test("the error behind a 500 of a Koa app is logged once", () =>
    withApp("./app.cjs", { "app.cjs": koa }, async (base, server) => {
      expect((await fetch(`${base}/api/boom`)).status).toBe(500);
      await server.log(/^request completed/);
      expect(server.logs().filter((line) => JSON.stringify(line).includes("koa fails"))).toHaveLength(1);
    }));

  test("the client is the same for each kind, and for the log", async () => {
    const headers = { "x-forwarded-for": "6.6.6.6, 9.9.9.9", "x-forwarded-proto": "https" };
    for (const [source, path] of [
      [express, "/api/v1/of/a/7"],
      [koa, "/api/users/7"],
    ] as const) {
      for (const [settings, ip] of [
        ["real_ip_from = loopback", "9.9.9.9"],
        ["", "127.0.0.1"],
      ] as const)
        await withApp(
          "./app.cjs",
          { "app.cjs": source },
          async (base, server) => {
            expect(await (await fetch(`${base}${path}`, { headers: { ...headers, connection: "close" } })).json()).toMatchObject({ ip });
            expect(await server.log(/^request completed/)).toMatchObject({ client: ip });
          },
          `metrics.enabled = false\n${settings}`,
        );
    }
  });

  test("the listeners of an http.Server are the app's: upgrades reach it", () => {
    const source = `
      import { createServer } from "node:http";
      const server = createServer((request, response) => response.end("hello"));
      server.on("upgrade", (request, socket) => socket.end("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: chat\\r\\nConnection: Upgrade\\r\\n\\r\\nhi"));
      export const makeApp = () => server;`;
    return withApp("./app.mjs", { "app.mjs": source }, async (base) => {
      const text = await new Promise<string>((resolve) => {
        let received = "";
        const socket = connect(Number(new URL(base).port), "127.0.0.1", () =>
          socket.write("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\n"),
        );
        socket.on("data", (chunk) => (received += chunk.toString())).on("close", () => resolve(received));
      });
      expect(text).toMatch(/101[^]*hi$/);
    });
  });

  test("a listen of the app's own is named in one line", async () => {
    const port = await freePort();
    const source = `import { createServer } from "node:http";\nexport const makeApp = () => {\n  createServer().listen(${port}, "127.0.0.1").unref();\n  return (_, response) => response.end("hello");\n};`;
    await withApp("./app.mjs", { "app.mjs": source }, async (_, server) => {
      const told = server.logs().filter(({ level }) => level === "warn");
      expect(told).toHaveLength(1);
      expect(told[0]?.msg).toMatch(new RegExp(`^the app listens on ${port} itself \\(.*app\\.mjs:3\\)`));
    });
  });
});

describe("TypeScript is the same on every Node", () => {
  const hello = (text: string): string => `(_: unknown, response: { end(text: string): void }): void => response.end(${text})`;
  const tsconfig = JSON.stringify({
    compilerOptions: { experimentalDecorators: true, jsx: "react", jsxFactory: "h", baseUrl: ".", paths: { "@lib/*": ["./lib/*"] } },
  });
  const cases: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
    [
      "imports without extension",
      "./app.ts",
      {
        "app.ts": `import { text } from "./lib/text";\nexport const makeApp = () => ${hello("text")};`,
        "lib/text.ts": `export const text: string = "hello";`,
        "package.json": '{"type":"module"}',
      },
    ],
    [
      "the same, as CommonJS by its package",
      "./app.ts",
      {
        "app.ts": `import { text } from "./lib/text";\nexport const makeApp = () => ${hello("text")};`,
        "lib/text.ts": `export const text: string = "hello";`,
        "package.json": '{"type":"commonjs"}',
      },
    ],
    [
      "enums and parameter properties",
      "./app.ts",
      {
        "app.ts": `enum Word { Hello = "hello" }\nclass A { constructor(readonly word: Word) {} }\nexport default () => ${hello("new A(Word.Hello).word")};`,
        "package.json": '{"type":"module"}',
      },
    ],
    [
      "decorators",
      "./app.ts",
      {
        "app.ts": `const upper = (_: object, __: string, d: PropertyDescriptor) => ({ ...d, value: () => "hello" });\nclass A { @upper word(): string { return "x"; } }\nexport default () => ${hello("new A().word()")};`,
        "tsconfig.json": tsconfig,
        "package.json": '{"type":"module"}',
      },
    ],
    [
      "paths",
      "./app.ts",
      {
        "app.ts": `import { text } from "@lib/text";\nexport default () => ${hello("text")};`,
        "lib/text.ts": `export const text = "hello";`,
        "tsconfig.json": tsconfig,
        "package.json": '{"type":"module"}',
      },
    ],
    [
      "CommonJS .ts",
      "./app.ts",
      {
        "app.ts": `const { text }: { text: string } = require("./text");\nmodule.exports = () => ${hello("module.parent ? text : 'x'")};`,
        "text.ts": `exports.text = "hello";`,
      },
    ],
    [".cts", "./app.cts", { "app.cts": `exports.makeApp = (config: object) => ${hello("'hello'")};` }],
    [".mts", "./app.mts", { "app.mts": `export const makeApp = (config: object) => ${hello("'hello'")};` }],
    [
      ".tsx",
      "./app.tsx",
      {
        "app.tsx": `const h = (tag: string): string => tag;\nexport default () => ${hello("(<hello /> as unknown as string)")};`,
        "tsconfig.json": tsconfig,
        "package.json": '{"type":"module"}',
      },
    ],
    [
      "plugins are told",
      "./app.ts",
      {
        "app.ts": `export default () => ${hello("process.env['FASTIFY_AUTOLOAD_TYPESCRIPT'] === '1' ? 'hello' : 'x'")};`,
        "package.json": '{"type":"module"}',
      },
    ],
  ];
  for (const [name, factory, files] of cases)
    test(name, () =>
      withApp(factory, files, async (base) => {
        expect(await (await fetch(base, { headers: { connection: "close" } })).text()).toBe("hello");
      }),
    );
});

test("a package's exports may be patterns and conditions", async () => {
  const files = {
    "node_modules/@my/app/package.json": JSON.stringify({
      name: "@my/app",
      type: "module",
      exports: { "./*": { import: "./lib/*.js" }, "./lib/private": null },
    }),
    "node_modules/@my/app/lib/web/server.js": "export const start = () => (_, response) => response.end('hello');",
  };
  await withApp("@my/app/web/server:start", files, async (base) => {
    expect(await (await fetch(base)).text()).toBe("hello");
  });
  const { stderr, code } = await run({ ...files, "app.ini": ini("@my/app/nope") }, ["app.ini"]);
  expect(stderr).toMatch(/module not found: "@my\/app\/nope" is not installed/);
  expect(code).toBe(3);
});
