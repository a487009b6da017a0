import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeTemporaryFolder, spawnTsserve } from "@tsserve/testing";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const needed = ["pino", "ini", "ms", "prom-client", "fastify"];

/** tsserve and fastify as `npm install` leaves them, without tsx beside them, and an app. */
function installation(app: Readonly<Record<string, string>>, factory: string): ReturnType<typeof makeTemporaryFolder> {
  const folder = makeTemporaryFolder({
    ...app,
    "app.ini": `[server:main]\nfactory = tsserve/http\nmetrics.enabled = false\n[app:main]\nfactory = ${factory}\n`,
  });
  const modules = join(folder.path, "node_modules");
  mkdirSync(modules);
  for (const part of ["bin", "bundle", "dist", "package.json"])
    cpSync(join(root, "packages/tsserve", part), join(modules, "tsserve", part), { recursive: true });
  for (const name of needed) symlinkSync(join(root, "node_modules", name), join(modules, name));
  writeFileSync(join(folder.path, "package.json"), `{"type":"module"}`);
  return folder;
}

const serveFrom = (folder: string): ReturnType<typeof spawnTsserve> =>
  spawnTsserve({ bin: join(folder, "node_modules/tsserve/bin/tsserve.js"), args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder });

test("JavaScript is served", async () => {
  const folder = installation({ "app.js": `export const makeApp = () => (request, response) => response.end("ok");` }, "./app.js");
  {
    await using server = serveFrom(folder.path);
    expect(await (await fetch(await server.listening())).text()).toBe("ok");
  }
  folder.remove();
});

test("TypeScript is loaded by Node where that can, or the start says what to install", async () => {
  const app = `interface Answer { end(text: string): void }\nexport const makeApp = () => (_request: unknown, response: Answer) => response.end("ok");`;
  const folder = installation({ "app.ts": app }, "./app.ts");
  {
    await using server = serveFrom(folder.path);
    const answer = server.listening().then(async (url) => (await fetch(url)).text());
    const outcome = await answer.catch(() => server.exited());
    if (outcome === "ok") expect(Number(process.versions.node.split(".", 1)[0])).toBeGreaterThan(20);
    else {
      expect(outcome).toMatchObject({ code: 3 });
      expect(server.stderr()).toMatch(
        /app\.ini:5: \[app:main\] factory: module not found: "tsx", which loads .*\/app\.ts \(Node v.*\): npm install tsx\n$/,
      );
    }
  }
  folder.remove();
});

test("what Node does not know, an enum say, is an error that names tsx", async () => {
  const folder = installation({ "app.ts": `export enum Color { Red }\nexport const makeApp = () => () => undefined;` }, "./app.ts");
  {
    await using server = serveFrom(folder.path);
    expect(await server.exited()).toMatchObject({ code: 3 });
    expect(server.stderr()).toMatch(/npm install tsx/);
  }
  folder.remove();
});
