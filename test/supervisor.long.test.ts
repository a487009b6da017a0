import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, makeTemporaryFolder, until } from "@tsserve/testing";
import { expect, test } from "vitest";
import { fixture } from "./support/serve.ts";
import { hasProgram } from "./support/measured.ts";
import { run } from "./support/run.ts";

test.skipIf(!hasProgram("/usr/bin/supervisord"))("supervisor runs, upgrades, restarts and stops the server by its file", async () => {
  const port = await freePort();
  const folder = makeTemporaryFolder({
    "app.ini": `[server:main]\nfactory = tsserve/http\nworkers = 2\nport = ${port}\nhost = 127.0.0.1\nmetrics.enabled = false\n[app:main]\nfactory = ${fixture("hello.js")}\ngreeting = $GREETING\n`,
    "package.json": '{"name":"orders"}',
  });
  const made = await run({}, ["kit", "supervisor", "app.ini", "-o", "out"], { cwd: folder.path });
  expect(made.stderr).toBe("");
  mkdirSync(join(folder.path, "log"));
  const bin = join(import.meta.dirname, "..", "packages/tsserve/bin/tsserve.js");
  const node = process.env["TSSERVE_TEST_NODE"] ?? process.execPath;
  const program = readFileSync(join(folder.path, "out", "orders.supervisor.conf"), "utf8")
    .replace("/usr/bin/env node /srv/orders/current/node_modules/tsserve/bin/tsserve.js", `${node} ${bin}`)
    .replaceAll("/srv/orders/current", folder.path)
    .replaceAll("/var/log/orders", join(folder.path, "log"))
    .replace(/^user=.*\n/m, "");
  writeFileSync(
    join(folder.path, "supervisord.conf"),
    `[supervisord]\nnodaemon=true\nlogfile=${folder.path}/supervisord.log\npidfile=${folder.path}/supervisord.pid\nuser=${process.getuid?.() === 0 ? "root" : process.env["USER"]}\n[unix_http_server]\nfile=${folder.path}/s.sock\n[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n[supervisorctl]\nserverurl=unix://${folder.path}/s.sock\n${program}`,
  );
  const daemon = spawn("/usr/bin/supervisord", ["-c", join(folder.path, "supervisord.conf")], {
    stdio: "ignore",
    env: { ...process.env, GREETING: "hi" },
  });
  const control = (...args: string[]): string =>
    spawnSync("/usr/bin/supervisorctl", ["-c", join(folder.path, "supervisord.conf"), ...args], { encoding: "utf8" }).stdout;
  const log = (): string =>
    existsSync(join(folder.path, "log/stdout.log")) ? readFileSync(join(folder.path, "log/stdout.log"), "utf8") : "";
  // On a connection of its own: one that was kept ends with its worker, and a test that stood still asks on it before it reads of the end.
  const answers = async (): Promise<boolean> =>
    (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } }).catch(() => undefined))?.status === 200;
  try {
    await until("an answer", async () => ((await answers()) ? true : undefined), { describe: log, timeoutMs: 60_000 });
    await until("RUNNING", () => (/RUNNING/.test(control("status")) ? true : undefined));
    control("signal", "HUP", "orders");
    await until("the upgrade", () => (log().includes("generation 2 is up") ? true : undefined), { describe: log });
    expect(await answers()).toBe(true);
    expect(control("stop", "orders")).toContain("stopped");
    expect(control("status")).toContain("STOPPED");
    expect(await answers()).toBe(false);
  } finally {
    await end(daemon);
    folder.remove();
  }
});

async function end(child: ChildProcess): Promise<void> {
  child.kill("SIGTERM");
  await until("the end of a manager", () => child.exitCode ?? child.signalCode ?? undefined);
}
