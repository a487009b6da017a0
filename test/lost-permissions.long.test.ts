import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync } from "node:fs";
import { get } from "node:https";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeTemporaryFolder, spawnTsserve, until, type TsserveProcess } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { certificate } from "./support/tls.ts";

// Root is refused no folder: the command runs as another user, who loses rights that root takes away.
const nobody = 65_534;
const asNobody = {
  node: "setpriv",
  nodeArgs: [`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", process.env["TSSERVE_TEST_NODE"] ?? process.execPath],
};
const command = fileURLToPath(new URL("../packages/tsserve/bin/tsserve.js", import.meta.url));
/** Where this project lies, another user may have no right to look, either. */
const isPossible = process.getuid?.() === 0 && spawnSync(asNobody.node, [...asNobody.nodeArgs, command, "--version"]).status === 0;

const settings = `[server:main]
factory = tsserve/http
metrics.endpoint = 127.0.0.1:0
workers = 2
tls.certificate = tls/c.pem
tls.key = tls/k.pem
errors = ./errors/render.js
control_socket = control/ctl.sock
access_log = log/access.log
profile_dir = profiles
[app:main]
factory = ./app/app.js
`;
const module =
  "export const makeApp = () => (request, response) => response.end('well'); export const renderError = () => ({ headers: {}, body: '' });";

function makeFolder(ini = settings): { readonly path: string; remove(): void } {
  const folder = makeTemporaryFolder({
    "app.ini": ini,
    "package.json": '{"type":"module"}',
    "app/app.js": module,
    "errors/render.js": module,
    "tls/.keep": "",
    "control/.keep": "",
    "log/.keep": "",
    "profiles/.keep": "",
    "temporary/.keep": "",
    "sockets/.keep": "",
  });
  copyFileSync(certificate("localhost"), join(folder.path, "tls/c.pem"));
  copyFileSync(certificate("localhost.key"), join(folder.path, "tls/k.pem"));
  spawnSync("chown", ["-R", `${nobody}:${nobody}`, folder.path]);
  return folder;
}

function start(folder: string): TsserveProcess {
  return spawnTsserve({
    ...asNobody,
    args: ["app.ini", "--bind", "127.0.0.1:0", "--bind", "sockets/app.sock"],
    cwd: folder,
    env: { TMPDIR: join(folder, "temporary"), HOME: "/tmp" },
  });
}

function take(path: string): void {
  chownSync(path, 0, 0);
  chmodSync(path, 0o700);
}

function give(path: string): void {
  chmodSync(path, 0o755);
  chownSync(path, nobody, nobody);
}

const status = (url: string): Promise<number | string | undefined> =>
  new Promise((resolve) => {
    const asked = get(url, { rejectUnauthorized: false, agent: false, timeout: 10_000 }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode));
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", (error) => resolve(error.message));
  });

/** What is lost, and what is said of it: by a running process, or by one that is started in its place and gives up. */
const losses: readonly (readonly [folder: string, saidBy: "log" | "stderr" | "nobody", said: RegExp])[] = [
  ["tls", "log", /^a certificate can't be used, the old one stays: tls\.certificate: .*permission denied$/],
  ["errors", "stderr", /app\.ini:7: \[server:main\] errors: module not found: .*can't be read: permission denied/],
  ["app", "stderr", /app\.ini:\d+: \[app:main\] factory: module not found: .*can't be read: permission denied/],
  ["log", "log", /^the access log log\/access\.log can't be opened anew: lines go to where it was: EACCES/],
  ["temporary", "log", /^metrics can't be written: what this worker counts is exported when they can: EACCES/],
  ["control", "nobody", /^$/],
  ["profiles", "nobody", /^$/],
  ["sockets", "nobody", /^$/],
];

describe.skipIf(!isPossible)("rights that are lost", () => {
  test("while a fleet serves cost no request, are told of with the setting, and all is well when they are given back", async () => {
    const folder = makeFolder();
    await using fleet = start(folder.path);
    const url = (await fleet.listening()).replace(/^http:/, "https:");
    const abandoned = (): number => fleet.logs().filter(({ msg }) => /^generation \d+ is abandoned/.test(msg)).length;
    const told = (by: "log" | "stderr", pattern: RegExp): boolean =>
      by === "stderr" ? pattern.test(fleet.stderr()) : fleet.logs().some(({ msg }) => pattern.test(msg));
    for (const [name, saidBy, said] of losses) {
      take(join(folder.path, name));
      const before = abandoned();
      if (saidBy === "stderr") fleet.kill("SIGHUP");
      if (saidBy !== "nobody") await until(`what is said of ${name}`, () => told(saidBy, said));
      if (saidBy === "stderr") await until("the upgrade to be given up", () => abandoned() > before);
      expect([name, await status(url), await status(url)]).toEqual([name, 200, 200]);
      give(join(folder.path, name));
    }
    const pids = (): Set<unknown> => new Set(fleet.logs().map(({ pid }) => pid));
    const known = pids();
    fleet.kill("SIGHUP");
    await until("new workers", () => [...pids()].some((pid) => !known.has(pid)));
    expect(await status(url)).toBe(200);
    fleet.kill("SIGTERM");
    expect(await fleet.exited()).toMatchObject({ code: 0 });
    folder.remove();
  });

  test.each([
    ["tls", 2, /^app\.ini:5: \[server:main\] tls\.certificate: .*\/tls\/c\.pem: permission denied\n$/],
    ["tls/k.pem", 2, /^app\.ini:6: \[server:main\] tls\.key: .*\/tls\/k\.pem: permission denied\n$/],
    ["log", 2, /^app\.ini:9: \[server:main\] access_log: expected a file that can be appended to: EACCES: permission denied/],
    ["sockets", 3, /cannot listen on sockets\/app\.sock: permission denied/],
    ["control", 3, /cannot listen on .*control\/ctl\.sock: permission denied/],
  ])("before the start: %s ends it with %i and its name", async (name, code, said) => {
    const folder = makeFolder(settings.replace("workers = 2\n", "; one process\n"));
    take(join(folder.path, name));
    await using server = start(folder.path);
    expect(await server.exited()).toMatchObject({ code });
    expect(server.stderr()).toMatch(said);
    folder.remove();
  });
});
