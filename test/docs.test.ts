import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { exitCodes } from "@tsserve/server";
import { makeTemporaryFolder, spawnTsserve } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { run } from "./support/run.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (name: string): string => readFileSync(join(root, name), "utf8");
const markdown = readdirSync(root, { recursive: true, encoding: "utf8" }).filter(
  (name) => name.endsWith(".md") && !/node_modules|dist\//.test(name),
);

/** The samples of a page that name their file in their first line, such as `// app.js`. */
function samplesOf(page: string): Record<string, string> {
  const blocks = [...read(page).matchAll(/```(?:js|ts|ini|thrift)\n(?:\/\/|;) (\S+)\n([^]*?)```/g)];
  return Object.fromEntries(blocks.map(([, name = "", text = ""]) => [name, withPackages(text)]));
}

/** A temporary folder has no packages: they are named by where they are. */
function withPackages(source: string): string {
  return source.replace(
    /from "(tsserve(?:\/\w+)?|fastify|prom-client|@tsserve\/\w+)"/g,
    (_, name: string) => `from ${JSON.stringify(import.meta.resolve(name))}`,
  );
}

/** What a sample says that it prints. */
function promisedBy(sample: string): (string | undefined)[] {
  return [...sample.matchAll(/console\.log\(.*\/\/ (.*)/g)].map(([, text]) => text);
}

describe("samples", () => {
  const isThrift = (page: string): boolean => samplesOf(page)["app.ini"]?.includes("tsserve/thrift") === true;
  // Its samples need the frameworks that it is about, and have a test of their own: docs-from-express.test.ts.
  const elsewhere = new Set(["docs/from-express.md"]);
  const pages = markdown.filter((page) => "app.ini" in samplesOf(page) && !isThrift(page) && !elsewhere.has(page));

  test("are found", () =>
    expect(pages).toEqual(
      expect.arrayContaining(["README.md", "docs/lifecycle.md", "docs/configuration.md", "packages/tsserve/README.md"]),
    ));

  test.each(pages)("of %s serve", async (page) => {
    const folder = makeTemporaryFolder({ "package.json": '{"type":"module"}', ...samplesOf(page) });
    try {
      await using server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path, env: { USER: "joe" } });
      const answer = await fetch(await server.listening());
      expect(answer.status).toBe(200);
      if (page === "README.md") expect(await answer.json()).toEqual({ greeting: "Hello, joe" });
      server.kill();
      await server.log(/readiness fails/);
      server.kill(); // Ends the drain, which the samples have.
      expect((await server.exited()).code).toBe(0);
    } finally {
      folder.remove();
    }
  });

  test("of docs/thrift.md serve, and its client calls them", async () => {
    expect(markdown.filter(isThrift)).toEqual(["docs/thrift.md"]);
    const samples = samplesOf("docs/thrift.md");
    const folder = makeTemporaryFolder({ "package.json": '{"type":"module"}', ...samples });
    try {
      await using server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path });
      const endpoint = (await server.listening()).replace("thrift://", "");
      const { stdout, stderr } = spawnSync(process.execPath, ["client.mjs", endpoint], {
        cwd: folder.path,
        encoding: "utf8",
        timeout: 50_000,
      });
      expect(stderr).toBe("");
      expect(stdout.trim().split("\n")).toEqual(promisedBy(samples["client.mjs"] ?? ""));
      const { stdout: routes } = await run({}, ["routes", "app.ini"], { cwd: folder.path });
      expect(read("docs/thrift.md")).toContain(`$ npx tsserve routes app.ini\n${routes}`);
    } finally {
      folder.remove();
    }
  });

  test("of docs/from-apache-thrift.md is served as it stands there", async () => {
    const sample = samplesOf("docs/from-apache-thrift.md")["app.cjs"] ?? "";
    const text = sample
      .replace("./gen-nodejs/Echo", join(root, "test/fixtures/thrift/gen-nodejs/Bench.js"))
      .replace("{ echo:", "{ ping() {}, fail() {}, add_later() {}, note() {}, echo:");
    const ini = "[server:main]\nfactory = tsserve/thrift\n[app:main]\nfactory = ./app.cjs\n";
    expect((await run({ "app.cjs": text, "app.ini": ini }, ["routes", "app.ini"])).stdout).toContain("thrift  echo");
  });

  test.each(markdown.filter((page) => "example.mjs" in samplesOf(page)))("of %s run", async (page) => {
    const app = `export const makeApp = () => (request, response) => response.end("hello");\n`;
    const files = {
      ...samplesOf(page),
      "app.ini": "[server:main]\nfactory = tsserve/http\n[app:main]\nfactory = ./app.mjs\n",
      "app.mjs": app,
    };
    const folder = makeTemporaryFolder(files);
    try {
      const { stdout, stderr } = spawnSync(process.execPath, ["example.mjs"], { cwd: folder.path, encoding: "utf8", timeout: 50_000 });
      const promised = promisedBy(samplesOf(page)["example.mjs"] ?? "");
      expect(stderr).toBe("");
      expect(stdout.trim().split("\n")).toEqual(promised);
    } finally {
      folder.remove();
    }
  });
});

describe("examples", () => {
  const examples = readdirSync(join(root, "examples")).filter((name) => name !== "thrift-echo" && name !== "queue");

  test("thrift-echo serves, its client calls it, and its types are those of its IDL", async () => {
    const cwd = join(root, "examples/thrift-echo");
    await using server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd });
    const endpoint = (await server.listening()).replace("thrift://", "");
    const { stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", "client.ts", endpoint], {
      cwd,
      encoding: "utf8",
      env: { ...process.env, USER: "joe" },
      timeout: 50_000,
    });
    expect([stdout, stderr.replace(/^npm warn.*$/gm, "")]).toEqual(["HELLO, JOE\n", ""]);
    const { stdout: types } = await run({}, ["thrift-types", "echo.thrift"], { cwd });
    expect(types).toBe(read("examples/thrift-echo/echo.types.ts"));
    expect((await run({}, ["routes", "app.ini"], { cwd })).stdout).toMatch(/^thrift {2}echo\nthrift {2}greet\n/);
  });

  test.each(examples)("%s serves, and its routes are told", async (name) => {
    const cwd = join(root, "examples", name);
    await using server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd, env: { USER: "joe" } });
    const base = await server.listening();
    expect(await (await fetch(`${base}/hello/you`)).json()).toEqual({ greeting: "Hello, joe, you" });
    expect((await run({}, ["routes", "app.ini"], { cwd })).stdout).toContain("/hello/:name");
  });
});

test("app.example.ini serves the example, as npm start does", async () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: { start: string } };
  expect(scripts.start).toBe("node packages/tsserve/bin/tsserve.js app.example.ini");
  await using server = spawnTsserve({ args: ["app.example.ini", "--bind", "127.0.0.1:0"], cwd: root });
  expect((await fetch(await server.listening())).status).toBe(200);
});

test("every setting of app.example.ini may be set to what stands there", async () => {
  const uncommented = read("app.example.ini")
    .replaceAll(/^;(\S+ = )/gm, "$1")
    .replace(/^handler = .*$/m, "")
    // In place of `bind`, and the old name of `real_ip_from`.
    .replaceAll(/^(?:host|port|trust_proxy) = .*$/gm, "")
    // What else is said of TLS needs it.
    .replace(/^amqp\.ssl = .*$/m, "amqp.ssl = true")
    .replaceAll("./examples/", join(root, "examples/"))
    .replace("levels.NAME", "levels.app");
  for (const name of ["main", "thrift", "queue"]) {
    const { code, stderr } = await run({ "app.ini": uncommented }, ["check", "app.ini", "--server-name", name, "--app-name", name]);
    expect([stderr, code]).toEqual(["", 0]);
  }
});

test("the pages that are made from the specs are up to date", () => {
  const { status, stderr } = spawnSync(process.execPath, ["--import", "tsx", "scripts/generate-docs.ts", "--check"], {
    cwd: root,
    encoding: "utf8",
  });
  expect([stderr.replace(/^npm warn.*$/gm, ""), status]).toEqual(["", 0]);
});

test("the exit codes and their page agree", () => {
  const page = read("docs/errors.md");
  for (const code of Object.values(exitCodes)) expect(page).toMatch(new RegExp(`^\\| ${code} *\\|`, "m"));
});

test.each(markdown)("the links of %s lead somewhere", (page) => {
  for (const [, target = ""] of read(page).matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)) {
    expect([target, existsSync(join(root, dirname(page), target))]).toEqual([target, true]);
  }
});

test("the README opens with how to start and how to test", () => {
  expect(read("README.md").split("\n").slice(0, 4).join("\n")).toMatch(/^# tsserve\n\n {4}npm ci && npm start .*\n {4}npm ci && npm test /);
});
