import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { freePort, makeTemporaryFolder, until, type TemporaryFolder } from "@tsserve/testing";
import { describe, expect, test } from "vitest";

const bin = join(dirname(createRequire(import.meta.url).resolve("tsserve/package.json")), "bin/tsserve.js");

const app = `
  export const makeApp = (config, context) => (request, response) => {
    if (request.url === "/much") for (let n = 0; n < 2000; n++) context.log.info("line " + n + " " + "x".repeat(500));
    response.end("well");
  };`;

interface Piped {
  readonly child: ChildProcess;
  readonly get: (path: string) => Promise<string>;
  readonly stop: () => Promise<number | null>;
  readonly stderr: () => string;
}

/** Serves with a stdout that is not read by us. */
async function serveTo(stdout: number | "pipe", folder: TemporaryFolder, args: readonly string[] = []): Promise<Piped> {
  const port = await freePort();
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(TSSERVE_|EINHORN_|VITEST|NODE_OPTIONS)/.test(name)));
  const node = process.env["TSSERVE_TEST_NODE"] ?? process.execPath;
  const child = spawn(node, [bin, "app.ini", "--bind", `127.0.0.1:${port}`, ...args], {
    cwd: folder.path,
    env,
    stdio: ["ignore", stdout, "pipe"],
  });
  let stderr = "";
  let code: number | null | undefined;
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.once("exit", (exit) => (code = exit));
  const get = async (path: string): Promise<string> => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  await until("the server", () => {
    if (code !== undefined) throw new Error(`it ended with ${code}: ${stderr}`);
    return get("/").catch(() => undefined);
  });
  return {
    child,
    get,
    stderr: () => stderr,
    stop: () => {
      child.kill("SIGTERM");
      return until("the end", () => (code === undefined ? undefined : { code })).then((end) => end.code);
    },
  };
}

async function withFolder(use: (folder: TemporaryFolder) => Promise<void>): Promise<void> {
  const ini = "[server:main]\nfactory = tsserve/http\nmetrics.enabled = false\n[app:main]\nfactory = ./app.mjs\n";
  const folder = makeTemporaryFolder({ "app.ini": ini, "app.mjs": app });
  try {
    await use(folder);
  } finally {
    folder.remove();
  }
}

describe("a log that can't be written costs lines, never the service", () => {
  for (const [name, args] of [
    ["alone", []],
    ["with workers", ["--workers", "2"]],
    ["for people", ["--log-format", "pretty"]],
  ] as const) {
    test(`/dev/full, ${name}`, () =>
      withFolder(async (folder) => {
        const full = openSync("/dev/full", "w");
        const server = await serveTo(full, folder, args);
        closeSync(full);
        for (let n = 0; n < 20; n++) expect(await server.get("/")).toBe("well");
        expect(await server.stop()).toBe(0);
        expect(server.stderr()).toBe("");
      }));

    test.skipIf(name === "for people")(`a reader that has gone, ${name}`, () =>
      withFolder(async (folder) => {
        const server = await serveTo("pipe", folder, args);
        server.child.stdout?.destroy();
        for (let n = 0; n < 20; n++) expect(await server.get("/")).toBe("well");
        expect(await server.get("/much")).toBe("well");
        expect(await server.stop()).toBe(0);
        expect(server.stderr()).toBe("");
      }),
    );

    test.skipIf(name === "for people")(`a reader that reads nothing, ${name}, and then everything`, () =>
      withFolder(async (folder) => {
        const server = await serveTo("pipe", folder, args);
        for (let n = 0; n < 20; n++) expect(await server.get("/much")).toBe("well");
        let text = "";
        server.child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        expect(await server.stop()).toBe(0);
        await until("the end of stdout", () => server.child.stdout?.readableEnded === true || undefined);
        const lines = text.trimEnd().split("\n");
        const told = lines.reduce(
          (sum, line) => sum + Number(/ (\d+) lines of the log could not be written/.exec(` ${line.split('"msg":"').at(-1)}`)?.[1] ?? 0),
          0,
        );
        const logged = lines.filter((line) => /line \d+ x{500}/.test(line)).length;
        // Each of the 40,000 was written, or told to be lost; the lines of requests are among those that were lost.
        expect(logged + told).toBeGreaterThanOrEqual(40_000);
        expect(logged).toBeGreaterThan(5000);
        // The lines of several processes do not run into each other.
        for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow();
      }),
    );
  }

  test("a full disk: what was lost is told when there is room again", () =>
    withFolder(async (folder) => {
      folder.write("mount/.keep", "");
      const disk = join(folder.path, "mount");
      // Only where this may be done: as root, or in a namespace of one's own.
      if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]).status !== 0) return;
      try {
        const log = join(disk, "log");
        const fd = openSync(log, "a");
        const server = await serveTo(fd, folder);
        closeSync(fd);
        expect(await server.get("/much")).toBe("well");
        expect(await server.get("/")).toBe("well");
        spawnSync("truncate", ["-s", "0", log]);
        await until("the count", () =>
          /lines of the log could not be written \(ENOSPC\)/.test(readFileSync(log, "utf8")) ? true : undefined,
        );
        expect(await server.stop()).toBe(0);
        expect(readFileSync(log, "utf8")).toMatch(/"msg":"stopped"/);
      } finally {
        spawnSync("umount", ["-l", disk]);
      }
    }));
});
