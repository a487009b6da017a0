import { makeTemporaryFolder, spawnTsserve, type TemporaryFolder, type TsserveProcess } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { run } from "./support/run.ts";
import { serve } from "./support/serve.ts";

const hello = "(request, response) => response.end('hello')";

function ini(app: string, server = "tsserve/http"): string {
  return `[server:main]\nfactory = ${server}\naccess_log = false\n[app:main]\nfactory = ${app}\n`;
}

/** Serves the app of a folder with these files. */
function serveFiles(files: Readonly<Record<string, string>>): { folder: TemporaryFolder; server: TsserveProcess } {
  const folder = makeTemporaryFolder(files);
  return { folder, server: spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path }) };
}

describe("what an app may be", () => {
  const cases = [
    ["a Fastify instance", "hello.js", "/", '{"hello":"world"}'],
    ["a function (request, response)", "plain.js", "/", '{"bytes":0}'],
    ["an Express app", "express.js", "/users/7", '{"id":"7"}'],
    ["an object with fetch", "fetch.js", "/some/path?query", '{"path":"/some/path","agent":"test"}'],
    ["a Hono app", "hono.js", "/", '{"hello":"hono"}'],
  ] as const;
  for (const [kind, app, path, body] of cases) {
    test(`${kind} is served, with the built-in health probes`, async () => {
      await using server = serve({ app });
      const base = await server.listening();
      expect(await (await fetch(`${base}${path}`, { headers: { "user-agent": "test" } })).text()).toBe(body);
      expect(await (await fetch(`${base}/health`)).json()).toEqual({ status: "ok" });
    });
  }

  test("bodies arrive at a fetch app", async () => {
    await using server = serve({ app: "hono.js" });
    const answer = await fetch(`${await server.listening()}/users`, {
      method: "POST",
      body: '{"a":1}',
      headers: { "content-type": "application/json" },
    });
    expect(await answer.json()).toEqual({ got: { a: 1 } });
  });

  test("an error of a fetch app is a 500, is logged with its stack, and harms nobody", async () => {
    await using server = serve({ app: "fetch.js" });
    const base = await server.listening();
    expect((await fetch(`${base}/throw`)).status).toBe(500);
    expect(JSON.stringify(await server.log(/fail|threw/))).toMatch(/this fetch fails[^]*fetch\.js/);
    expect((await fetch(base)).status).toBe(200);
  });
});

describe("where a factory may come from", () => {
  const cases: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
    ["an ES module", "./app.mjs", { "app.mjs": `export const makeApp = () => ${hello};` }],
    ["a named export", "./app.mjs:build", { "app.mjs": `export const build = () => ${hello};` }],
    ["a default export", "./app.mjs", { "app.mjs": `export default () => ${hello};` }],
    ["an absolute path's folder above", "../{folder}/app.mjs", { "app.mjs": `export default () => ${hello};` }],
    ["CommonJS exports", "./app.cjs", { "app.cjs": `exports.makeApp = () => ${hello};` }],
    ["CommonJS, one function", "./app.cjs", { "app.cjs": `module.exports = () => ${hello};` }],
    ["an async factory", "./app.mjs", { "app.mjs": `export async function makeApp() { await null; return ${hello}; }` }],
    [
      "TypeScript without a build, with an import of its own",
      "./app.ts",
      {
        "app.ts": `import { greet } from "./greet.ts";\nimport type { IncomingMessage, ServerResponse } from "node:http";\nexport const makeApp = () => (_: IncomingMessage, response: ServerResponse): void => void response.end(greet("hel" as string));`,
        "greet.ts": "export const greet = (text: string): string => `${text}lo`;",
        "package.json": '{"type":"module"}',
      },
    ],
    ["TypeScript as CommonJS", "./app.cts", { "app.cts": `exports.makeApp = (config: object) => ${hello};` }],
    [
      "a package",
      "my-app",
      {
        "node_modules/my-app/package.json": '{"name":"my-app","main":"index.js"}',
        "node_modules/my-app/index.js": `exports.makeApp = () => ${hello};`,
      },
    ],
    [
      "a package subpath that can only be imported",
      "@my/app/server:start",
      {
        "node_modules/@my/app/package.json": '{"name":"@my/app","type":"module","exports":{"./server":{"import":"./lib/server.js"}}}',
        "node_modules/@my/app/lib/server.js": `export const start = () => ${hello};`,
      },
    ],
  ];
  for (const [name, factory, files] of cases) {
    test(name, async () => {
      const { folder, server } = serveFiles(files);
      try {
        await using _ = server;
        folder.write("app.ini", ini(factory.replace("{folder}", folder.path.split("/").at(-1) ?? "")));
        expect(await (await fetch(await server.listening())).text()).toBe("hello");
      } finally {
        folder.remove();
      }
    });
  }
});

describe("what can be wrong with a factory: exit code 3, nothing bound", () => {
  const cases: readonly (readonly [string, string, Readonly<Record<string, string>>, RegExp | string])[] = [
    [
      "no such file",
      "./apq.js",
      { "app.js": "" },
      'app.ini:5: [app:main] factory: module not found: FOLDER/apq.js, did you mean "app.js"?',
    ],
    [
      "another ending",
      "./app.js",
      { "app.ts": "" },
      'app.ini:5: [app:main] factory: module not found: FOLDER/app.js, did you mean "app.ts"?',
    ],
    [
      "a folder",
      "./src",
      { "src/app.js": "" },
      "app.ini:5: [app:main] factory: module not found: FOLDER/src (it is a folder; name the file in it)",
    ],
    [
      "no such folder",
      "./lib/app.js",
      {},
      "app.ini:5: [app:main] factory: module not found: FOLDER/lib/app.js (the folder FOLDER/lib does not exist)",
    ],
    [
      "a package that is not installed",
      "no-such-app",
      {},
      'app.ini:5: [app:main] factory: module not found: "no-such-app" is not installed where FOLDER finds its packages',
    ],
    [
      "a path without its dot",
      "app.js",
      { "app.js": "" },
      'app.ini:5: [app:main] factory: module not found: "app.js" is not installed where FOLDER finds its packages, did you mean "./app.js"?',
    ],
    [
      "a name that is not exported",
      "./app.mjs:makeAp",
      { "app.mjs": "export const makeApp = 1, other = 2;" },
      'app.ini:5: [app:main] factory: ./app.mjs does not export "makeAp", did you mean "makeApp"?; it exports makeApp, other',
    ],
    [
      "no name that is expected",
      "./app.mjs",
      { "app.mjs": "export const build = 1;" },
      'app.ini:5: [app:main] factory: ./app.mjs does not export "makeApp"; it exports build',
    ],
    [
      "no function",
      "./app.mjs",
      { "app.mjs": "export const makeApp = { fetch: 1 };" },
      'app.ini:5: [app:main] factory: "makeApp" of ./app.mjs is an object, expected a function',
    ],
    [
      "a default export that is no function",
      "./app.mjs",
      { "app.mjs": "export default { fetch: 1 };" },
      "app.ini:5: [app:main] factory: the default export of ./app.mjs is an object, expected a function",
    ],
    [
      "a listener of requests",
      "./app.mjs",
      { "app.mjs": "export default async function handle(req, res) {\n  res.end('hello');\n}" },
      /^app\.ini:5: \[app:main\] factory: \.\/app\.mjs threw, which was called with \(config, context\): a function \(request, response\) is what a factory gives:\nTypeError: /,
    ],
    [
      "a module that throws",
      "./app.mjs",
      { "app.mjs": "import './lib.mjs';", "lib.mjs": "\nthrow new RangeError('this module fails');" },
      /^app\.ini:5: \[app:main\] factory: \.\/app\.mjs threw while it was loaded:\nRangeError: this module fails\n {4}at [^\n]*FOLDER\/lib\.mjs:2:/,
    ],
    [
      "an import inside the app that is not found: the app's own error, never renamed",
      "./app.mjs",
      { "app.mjs": "import './missing.mjs';" },
      /^app\.ini:5: \[app:main\] factory: \.\/app\.mjs threw while it was loaded:\nError \[ERR_MODULE_NOT_FOUND\]: Cannot find module 'FOLDER\/missing\.mjs' imported from FOLDER\/app\.mjs\n/,
    ],
    [
      "an ES module in the folder that npm init makes",
      "./app.js",
      { "app.js": "export const makeApp = () => () => {};", "package.json": '{"type":"commonjs"}' },
      /FOLDER\/app\.js:1\n[^]*SyntaxError: Unexpected token 'export'\n\(app\.js is written as an ES module, and "type": "commonjs" in FOLDER\/package\.json makes it CommonJS: write "type": "module" there, or name it app\.mjs\)/,
    ],
    [
      "a syntax error, with file and line",
      "./app.mjs",
      { "app.mjs": "import './lib.mjs';", "lib.mjs": "\n\nconst = 1;\n" },
      /FOLDER\/lib\.mjs:3\nconst = 1;\n +\^\n\nSyntaxError: /,
    ],
    [
      "a factory that throws",
      "./app.mjs",
      { "app.mjs": "export function makeApp() {\n  throw new Error('no database');\n}" },
      /^app\.ini:5: \[app:main\] factory: \.\/app\.mjs threw:\nError: no database\n {4}at makeApp \([^\n]*FOLDER\/app\.mjs:2:9\)/,
    ],
    [
      "a factory that rejects, with a cause",
      "./app.mjs",
      { "app.mjs": "export async function makeApp() {\n  throw new Error('no database', { cause: new Error('refused') });\n}" },
      /Error: no database[^]*caused by Error: refused/,
    ],
    [
      "a factory that throws a text",
      "./app.mjs",
      { "app.mjs": "export async function makeApp() {\n  throw 'oops';\n}" },
      "app.ini:5: [app:main] factory: ./app.mjs threw:\na value that is no Error was thrown: oops",
    ],
    [
      "a factory that forgets its return",
      "./app.mjs",
      { "app.mjs": "export function makeApp() {}" },
      "app.ini:5: [app:main] factory: the app factory gave undefined (does it return the app?); tsserve/http serves a Fastify instance, a function (request, response), an object with fetch(request), a Koa or NestJS app, a hapi or restify server, or an http.Server",
    ],
    [
      "a module name that is none",
      "./app.js:make-app",
      {},
      'app.ini:5: [app:main] factory: expected MODULE or MODULE:NAME, such as ./app.js:makeApp, found "./app.js:make-app"',
    ],
    [
      "TypeScript: the stack is that of the source",
      "./app.ts",
      { "app.ts": "interface A {\n  a: 1;\n}\nexport function makeApp(a: A): never {\n  throw new Error(`no database ${typeof a}`);\n}\n" },
      /^app\.ini:5: \[app:main\] factory: \.\/app\.ts threw:\nError: no database object\n {4}at makeApp \([^\n]*FOLDER\/app\.ts:5:9\)/,
    ],
  ];
  for (const [name, factory, files, says] of cases) {
    test(name, async () => {
      const { code, stderr, stdout } = await run({ ...files, "app.ini": ini(factory) }, ["app.ini", "--bind", "127.0.0.1:0"]);
      if (typeof says === "string") expect(stderr.trimEnd()).toBe(says);
      else expect(stderr).toMatch(says);
      expect(stdout).not.toMatch(/listening/);
      expect(code).toBe(3);
    });
  }

  test("compiled code with a source map: the stack is that of the source", async () => {
    const map = JSON.stringify({ version: 3, sources: ["original.ts"], names: [], mappings: "AAIA" });
    const files = {
      "app.mjs": `export function makeApp() { throw new Error("mapped"); }\n//# sourceMappingURL=app.mjs.map\n`,
      "app.mjs.map": map,
    };
    const { stderr } = await run({ ...files, "app.ini": ini("./app.mjs") }, ["app.ini"]);
    expect(stderr).toMatch(/original\.ts:5/);
  });

  test("of the server: its own place is named", async () => {
    const { code, stderr } = await run({ "app.ini": ini("./app.js", "tsserve/htpp") }, ["app.ini"]);
    expect(stderr.trimEnd()).toBe(
      'app.ini:2: [server:main] factory: module not found: "tsserve/htpp" is not installed where FOLDER finds its packages',
    );
    expect(code).toBe(3);
  });
});

describe("a server factory of one's own", () => {
  const server = `
    import { createServer } from "node:http";
    export function makeServer(config, listeners, app, context) {
      const server = createServer((request, response) => app(request, response));
      return {
        start: () => listeners[0].listen(server),
        drain: () => context.log.info("own drain"),
        stop: async () => (server.close(), { cut: 0 }),
        stats: () => ({ openConnections: 0, activeRequests: 0 }),
        addresses: () => ["http://127.0.0.1:" + server.address().port],
      };
    }`;

  test("is run as ours is", async () => {
    const { folder, server: process } = serveFiles({
      "app.ini": ini("./app.mjs", "./server.mjs"),
      "server.mjs": server,
      "app.mjs": `export default () => ${hello};`,
    });
    try {
      await using _ = process;
      expect(await (await fetch(await process.listening(), { headers: { connection: "close" } })).text()).toBe("hello");
      process.kill();
      expect((await process.exited()).code).toBe(0);
      await process.log(/^own drain/);
    } finally {
      folder.remove();
    }
  });

  test("that throws at its start: exit code 3, with its stack", async () => {
    const broken = server.replace("listeners[0].listen(server)", "Promise.reject(new Error('no start'))");
    const { code, stderr } = await run(
      { "app.ini": ini("./app.mjs", "./server.mjs"), "server.mjs": broken, "app.mjs": `export default () => ${hello};` },
      ["app.ini"],
    );
    expect(stderr).toMatch(/starting the server failed:\nError: no start/);
    expect(code).toBe(3);
  });
});

describe("handler", () => {
  const app = `export default () => ${hello};`;

  test("wraps the app's handling", async () => {
    const handler = `export const makeHandler = (next) => (request, response) => { response.setHeader("x-wrapped", "yes"); next(request, response); };`;
    const { folder, server } = serveFiles({
      "app.ini": ini("./app.mjs").replace("[app", "handler = ./handler.mjs\n[app"),
      "app.mjs": app,
      "handler.mjs": handler,
    });
    try {
      await using _ = server;
      const answer = await fetch(await server.listening());
      expect([answer.headers.get("x-wrapped"), await answer.text()]).toEqual(["yes", "hello"]);
    } finally {
      folder.remove();
    }
  });

  test("that is not there: exit code 3, with its place", async () => {
    const { code, stderr } = await run({ "app.ini": ini("./app.mjs").replace("[app", "handler = ./nope.mjs\n[app"), "app.mjs": app }, [
      "app.ini",
    ]);
    expect(stderr).toMatch(/^app\.ini:4: \[server:main\] handler: module not found: FOLDER\/nope\.mjs/);
    expect(code).toBe(3);
  });
});
