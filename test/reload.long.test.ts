import { mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { makeTemporaryFolder, spawnTsserve, until, type TemporaryFolder, type TsserveProcess } from "@tsserve/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const app = (text: string): string => `export const makeApp = (config) => (request, response) => response.end("${text} " + config.name);\n`;
const ini = (name: string, more = "", factory = "./src/app.mjs"): string =>
  `[server:main]\nfactory = tsserve/http\nmetrics.enabled = false\naccess_log = false\n${more}[app:main]\nfactory = ${factory}\nname = ${name}\n`;

let folder: TemporaryFolder;
beforeEach(() => {
  folder = makeTemporaryFolder({ "app.ini": ini("joe"), "src/app.mjs": app("one") });
});
afterEach(() => folder.remove());

interface Reloading extends AsyncDisposable {
  readonly server: TsserveProcess;
  /** What is answered; `undefined` when nobody answers. */
  text(): Promise<string | undefined>;
  /** Waits until it is answered. */
  says(expected: string): Promise<void>;
  /** Which files restarted the app, in order. */
  changes(): string[];
}

async function start(first = "one joe"): Promise<Reloading> {
  const server = spawnTsserve({ args: ["app.ini", "--reload", "--bind", "127.0.0.1:0", "--log-format", "json"], cwd: folder.path });
  const text = async (): Promise<string | undefined> => {
    const last = server.logs().findLast(({ msg }) => msg.startsWith("listening on"));
    const [address = ""] = (last?.["addresses"] ?? []) as string[];
    return fetch(address).then(
      (answer) => answer.text(),
      () => undefined,
    );
  };
  const describeIt = (): string => server.stderr();
  const says = async (expected: string): Promise<void> => {
    await until(`"${expected}" to be served`, async () => (await text()) === expected, { timeoutMs: 20_000, describe: describeIt });
  };
  await says(first);
  return {
    server,
    text,
    says,
    changes: () => [...server.stderr().matchAll(/^reload: (.*) changed$/gm)].map(([, path]) => path ?? ""),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

test("says that it is not for production", async () => {
  await using reloading = await start();
  expect(reloading.server.stderr()).toMatch(/for development, never for production/);
});

test("a change of the source, and of the INI file, and a new file, are served", async () => {
  await using reloading = await start();
  folder.write("src/app.mjs", app("two"));
  await reloading.says("two joe");
  folder.write("app.ini", ini("jane"));
  await reloading.says("two jane");
  folder.write("src/new/part.mjs", "export {};");
  await until("a restart for the new file", () => reloading.changes().includes("src/new/part.mjs"));
  await reloading.says("two jane");
});

describe("what is built anew", () => {
  test("after it was removed", async () => {
    await using reloading = await start();
    rmSync(join(folder.path, "src"), { recursive: true });
    await until("the removal to be seen", () => reloading.changes().length > 0);
    folder.write("src/app.mjs", app("rebuilt"));
    await reloading.says("rebuilt joe");
    // And it is still watched.
    folder.write("src/app.mjs", app("rebuilt again"));
    await reloading.says("rebuilt again joe");
  });

  test("and renamed into place, as a folder and as a file", async () => {
    await using reloading = await start();
    folder.write("src.new/app.mjs", app("renamed"));
    renameSync(join(folder.path, "src"), join(folder.path, "src.old"));
    renameSync(join(folder.path, "src.new"), join(folder.path, "src"));
    await reloading.says("renamed joe");
    folder.write("src/app.mjs.tmp", app("file renamed"));
    renameSync(join(folder.path, "src/app.mjs.tmp"), join(folder.path, "src/app.mjs"));
    await reloading.says("file renamed joe");
  });

  test("behind a link, and in a linked package", async () => {
    using elsewhere = makeTemporaryFolder({
      "app.mjs": `export { makeApp } from "part";\n`,
      "part/package.json": `{ "name": "part", "type": "module", "exports": "./index.js" }`,
      "part/index.js": app("linked"),
    });
    rmSync(join(folder.path, "src"), { recursive: true });
    symlinkSync(elsewhere.path, join(folder.path, "src"));
    // Node resolves packages from where a file really is.
    for (const root of [folder.path, elsewhere.path]) {
      mkdirSync(join(root, "node_modules"), { recursive: true });
      symlinkSync(join(elsewhere.path, "part"), join(root, "node_modules/part"));
    }
    await using reloading = await start("linked joe");
    folder.write("src/app.mjs", app("behind a link"));
    await reloading.says("behind a link joe");
    elsewhere.write("app.mjs", `export { makeApp } from "part";\n`);
    await reloading.says("linked joe");
    elsewhere.write("part/index.js", app("package"));
    await reloading.says("package joe");
    // A link that leads somewhere else from now on.
    elsewhere.write("next/app.mjs", app("moved"));
    symlinkSync(join(elsewhere.path, "next"), join(folder.path, "src.next"));
    renameSync(join(folder.path, "src.next"), join(folder.path, "src"));
    await reloading.says("moved joe");
    elsewhere.write("next/app.mjs", app("moved and changed"));
    await reloading.says("moved and changed joe");
  });
});

describe("what is left out, and what is added", () => {
  test("watcher.ignored_dirs and watcher.watched_file_endings", async () => {
    folder.write("app.ini", ini("joe", "watcher.ignored_dirs = uploads, ./made\nwatcher.watched_file_endings = .html, txt\n"));
    await using reloading = await start();
    folder.write("uploads/a.js", "1");
    folder.write("made/a.js", "1");
    folder.write("src/a.css", "1");
    folder.write("node_modules/a.js", "1");
    folder.write("page.html", "1");
    await until("a restart", () => reloading.changes().join().includes("page.html"));
    folder.write("notes.txt", "1");
    await until("another one", () => reloading.changes().join().includes("notes.txt"));
    expect(reloading.changes()).toEqual(["page.html", "notes.txt"]);
  });

  test("what the app itself writes, unless it is source", async () => {
    folder.write(
      "src/app.mjs",
      `import { writeFileSync } from "node:fs";\nimport { appendFile } from "node:fs/promises";\n` +
        `writeFileSync("state.json", JSON.stringify({ at: Date.now() }));\nawait appendFile("log.json", "{}");\n${app("one")}`,
    );
    await using reloading = await start();
    for (let n = 0; n < 3; n++) await reloading.text();
    folder.write("src/app.mjs", app("two"));
    await reloading.says("two joe");
    expect(reloading.changes()).toEqual(["src/app.mjs"]);
    // Somebody else's change of such a file counts.
    await until("state.json to count", () => {
      folder.write("state.json", `{ "now": ${Math.random()} }`);
      return reloading.changes().includes("state.json");
    });
  });

  test("an app that writes its own source anew at each start does not restart for ever", async () => {
    folder.write(
      "src/app.mjs",
      `import { writeFileSync } from "node:fs";\nwriteFileSync(new URL("made.mjs", import.meta.url), "export const at = " + Date.now());\n${app("one")}`,
    );
    await using reloading = await start();
    await until("the end of it", () => /the app writes src\/made\.mjs anew at each start/.test(reloading.server.stderr()), {
      timeoutMs: 30_000,
      describe: () => reloading.server.stderr(),
    });
    const restarts = reloading.changes().length;
    await reloading.says("one joe");
    expect(reloading.changes()).toHaveLength(restarts);
    folder.write("src/app.mjs", app("two"));
    await reloading.says("two joe");
  });
});

test("a syntax error prints file and line, and the last good version serves on", async () => {
  await using reloading = await start();
  const { server } = reloading;
  folder.write("src/app.mjs", "export const makeApp = () => {\n  const = 1;\n};\n");
  await until("the error", () => /src\/app\.mjs:2[^]*SyntaxError/.test(server.stderr()), { describe: () => server.stderr() });
  await until("the verdict", () => /the last good one serves on/.test(server.stderr()));
  expect(await reloading.text()).toBe("one joe");
  folder.write("src/app.mjs", app("three"));
  await reloading.says("three joe");
});

test("a wrong INI file keeps the last good version too", async () => {
  await using reloading = await start();
  const { server } = reloading;
  folder.write("app.ini", `${ini("x")}\nnonsense\n`);
  await until("the error", () => /app\.ini:9: .*expected/.test(server.stderr()), { describe: () => server.stderr() });
  expect(await reloading.text()).toBe("one joe");
});

test("a signal ends all of it, with exit code 0", async () => {
  await using reloading = await start();
  reloading.server.kill("SIGINT");
  expect((await reloading.server.exited()).code).toBe(0);
});

test("kill -9 of the supervisor ends its app too", async () => {
  await using reloading = await start();
  reloading.server.kill("SIGKILL");
  await until("the app to be gone", async () => (await reloading.text()) === undefined);
});
