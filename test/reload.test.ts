import { makeTemporaryFolder, spawnTsserve, until, type TemporaryFolder, type TsserveProcess } from "@tsserve/testing";
import { afterEach, beforeEach, expect, test } from "vitest";

const app = (text: string): string => `export const makeApp = (config) => (request, response) => response.end("${text} " + config.name);\n`;
const ini = (name: string): string => `[server:main]\nfactory = tsserve/http\n[app:main]\nfactory = ./src/app.mjs\nname = ${name}\n`;

let folder: TemporaryFolder;
beforeEach(() => {
  folder = makeTemporaryFolder({ "app.ini": ini("joe"), "src/app.mjs": app("one") });
});
afterEach(() => folder.remove());

async function start(): Promise<{ server: TsserveProcess; text: () => Promise<string | undefined> }> {
  const server = spawnTsserve({ args: ["app.ini", "--reload", "--bind", "127.0.0.1:0", "--log-format", "json"], cwd: folder.path });
  const text = async (): Promise<string | undefined> => {
    const last = server.logs().findLast(({ msg }) => msg.startsWith("listening on"));
    const [address = ""] = (last?.["addresses"] ?? []) as string[];
    return fetch(address).then(
      (answer) => answer.text(),
      () => undefined,
    );
  };
  await until("the first answer", async () => (await text()) === "one joe", { describe: () => server.stderr() });
  return { server, text };
}

test("says that it is not for production", async () => {
  const { server } = await start();
  await using _ = server;
  expect(server.stderr()).toMatch(/for development, never for production/);
});

test("a change of the source, and of the INI file, is served in less than 2 seconds", async () => {
  const { server, text } = await start();
  await using _ = server;
  for (const [file, content, expected] of [
    ["src/app.mjs", app("two"), "two joe"],
    ["app.ini", ini("jane"), "two jane"],
    ["src/new/part.mjs", "export {};", "two jane"],
  ] as const) {
    const builds = server.logs().filter(({ msg }) => msg.startsWith("listening on")).length;
    const begun = performance.now();
    folder.write(file, content);
    await until(
      `${file} to be served`,
      async () => server.logs().filter(({ msg }) => msg.startsWith("listening on")).length > builds && (await text()) === expected,
      { describe: () => server.stdout() + server.stderr() },
    );
    expect(performance.now() - begun).toBeLessThan(2000);
  }
});

test("a syntax error prints file and line, and the last good version serves on", async () => {
  const { server, text } = await start();
  await using _ = server;
  folder.write("src/app.mjs", "export const makeApp = () => {\n  const = 1;\n};\n");
  await until("the error", () => /src\/app\.mjs:2\n[^]*SyntaxError/.test(server.stderr()), { describe: () => server.stderr() });
  await until("the verdict", () => /the last good one serves on/.test(server.stderr()));
  expect(await text()).toBe("one joe");
  folder.write("src/app.mjs", app("three"));
  await until("the next version", async () => (await text()) === "three joe");
});

test("a wrong INI file keeps the last good version too", async () => {
  const { server, text } = await start();
  await using _ = server;
  folder.write("app.ini", `${ini("x")}\nnonsense\n`);
  await until("the error", () => /app\.ini:7: .*expected/.test(server.stderr()), { describe: () => server.stderr() });
  expect(await text()).toBe("one joe");
});

test("a signal ends all of it, with exit code 0", async () => {
  const { server } = await start();
  await using _ = server;
  server.kill("SIGINT");
  expect((await server.exited()).code).toBe(0);
});

test("kill -9 of the supervisor ends its app too", async () => {
  const { server, text } = await start();
  await using _ = server;
  server.kill("SIGKILL");
  await until("the app to be gone", async () => (await text()) === undefined);
});
