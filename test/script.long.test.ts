import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { freePort, makeTemporaryFolder, spawnTsserve, until, type Exit, type TsserveProcess } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { hasProgram } from "./support/measured.ts";

const ini = "[app:main]\nfactory = ./jobs.js\ngreeting = hello\n";
const jobs = `
import { writeSync } from "node:fs";
const say = (text) => writeSync(2, text + "\\n");
const aborted = (signal) => new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
const forever = () => { setInterval(() => {}, 1000); say("running"); };
export function works(config, args, context) {
  context.log.info({ args }, config.greeting);
  new Counter({ name: "rows_total", help: "Rows.", registers: [context.metrics] }).inc(7);
  context.onStop(() => say("hook"));
}
export const seven = () => 7;
export const tooLarge = async () => 1000;
export function fails() { throw new Error("out of rows"); }
export const never = () => new Promise(() => {});
export async function stops(config, args, { signal }) { forever(); await aborted(signal); say("told"); return 5; }
export async function returns(config, args, { signal }) { forever(); await aborted(signal); }
export async function throwsThen(config, args, { signal }) { forever(); await aborted(signal); throw signal.reason; }
export async function ignores() { forever(); await new Promise(() => {}); }
import { createRequire } from "node:module";
const { Counter } = createRequire(${JSON.stringify(import.meta.filename)})("prom-client");
`;

interface Script extends TsserveProcess {
  ended(): Promise<Exit>;
}

/** Runs \`tsserve script app.ini OPTIONS ./jobs.js:NAME\`. */
function script(name: string, options: readonly string[] = [], more = ""): Script {
  const folder = makeTemporaryFolder({ "app.ini": `${ini}${more}`, "jobs.js": jobs, "package.json": '{"type":"module"}' });
  const spawned = spawnTsserve({ args: ["script", "app.ini", ...options, `./jobs.js:${name}`, "--rows", "7"], cwd: folder.path });
  return {
    ...spawned,
    ended: () => spawned.exited(),
    [Symbol.asyncDispose]: async () => {
      await spawned[Symbol.asyncDispose]();
      folder.remove();
    },
  };
}

describe("a script", () => {
  test("has the app's options, its arguments, and a context whose hooks run", async () => {
    await using job = script("works");
    expect(await job.ended()).toEqual({ code: 0, signal: null });
    expect(job.logs().find(({ msg }) => msg === "hello")).toMatchObject({ level: "info", logger: "app", args: ["--rows", "7"] });
    expect(job.stderr()).toBe("hook\n");
  });

  test.each([
    ["seven", 7],
    ["tooLarge", 1],
    ["fails", 1],
    ["never", 1],
  ])("%s ends with %s", async (name, code) => {
    await using job = script(name);
    expect((await job.ended()).code).toBe(code);
    if (name === "fails") expect(job.stderr()).toMatch(/^\.\/jobs\.js:fails threw:\nError: out of rows\n\s+at fails .*jobs\.js:\d+/);
  });

  test.each([
    ["stops", "SIGTERM", 5],
    ["returns", "SIGTERM", 143],
    ["returns", "SIGINT", 130],
    ["throwsThen", "SIGTERM", 143],
  ] as const)("%s, told by %s, ends with %s", async (name, signal, code) => {
    await using job = script(name);
    await until("the job", () => (job.stderr().includes("running") ? true : undefined));
    job.kill(signal);
    expect((await job.ended()).code).toBe(code);
    expect(job.stderr()).not.toContain("threw");
  });

  test("a second signal does not wait for one that does not listen", async () => {
    await using job = script("ignores");
    await until("the job", () => (job.stderr().includes("running") ? true : undefined));
    job.kill("SIGTERM");
    const again = setInterval(() => job.kill("SIGTERM"), 50);
    expect((await job.ended()).code).toBe(143);
    clearInterval(again);
  });
});

describe.skipIf(!hasProgram("/usr/bin/prometheus-pushgateway"))("a real push gateway", () => {
  test("gets the metrics of a job under its name, whatever signs are in it, also of one that fails", async () => {
    const port = await freePort();
    const folder = makeTemporaryFolder();
    const gateway = spawn("/usr/bin/prometheus-pushgateway", [`--web.listen-address=127.0.0.1:${port}`], {
      stdio: "ignore",
      cwd: folder.path,
    });
    const url = `http://127.0.0.1:${port}`;
    const pushed = async (): Promise<string> => (await fetch(`${url}/metrics`)).text();
    try {
      await until("the gateway", () => fetch(`${url}/-/ready`).catch(() => undefined));
      await using first = script("works", ["--push", url]);
      expect((await first.ended()).code).toBe(0);
      expect(await pushed()).toMatch(/^rows_total\{instance="",job="\.\/jobs\.js:works"\} 7$/m);
      for (const name of ["nightly import", "a/b/ä", 'x="y"']) {
        await using job = script("works", ["--push", `${url}/`, "--job", name, "--require-push"]);
        expect([(await job.ended()).code, job.stdout().includes("could not be pushed")]).toEqual([0, false]);
        expect(await pushed()).toContain(`job_success{instance="",job=${JSON.stringify(name)}} 1`);
      }
      await using failing = script("fails", ["--job", "nightly import"], `metrics.push_gateway = ${url}\n`);
      expect((await failing.ended()).code).toBe(1);
      const text = await pushed();
      expect(text).toContain('job_success{instance="",job="nightly import"} 0');
      expect(text).toMatch(/^job_last_success_timestamp_seconds\{instance="",job="nightly import"\} 1\.\d+e\+09$/m);
    } finally {
      gateway.kill("SIGKILL");
      folder.remove();
    }
  });
});

describe("a gateway", () => {
  test.each([
    ["that is away", "away", /ECONNREFUSED/],
    ["that refuses", "refuses", /it answered 400 odd number/],
    ["that is silent", "silent", /no answer within 2 s/],
  ])("%s: an error in the log; the exit code is the function's, unless the push is required", async (_name, where, reason) => {
    const server = createServer((_request, response) => {
      if (where === "refuses") response.writeHead(400).end("odd number of components\n");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = where === "away" ? `http://127.0.0.1:${await freePort()}` : `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using job = script("works", ["--push", url]);
    await using required = script("works", ["--push", url, "--require-push"]);
    expect([(await job.ended()).code, (await required.ended()).code]).toEqual([0, 1]);
    expect(job.logs().find(({ level }) => level === "error")?.msg).toMatch(reason);
    server.closeAllConnections();
    server.close();
  });

  test.each([
    [["--push", "gateway:9091"], /--push: expected a URL/],
    [["--require-push"], /--require-push: expected --push URL/],
  ])("%j is a wrong command line", async (options, message) => {
    await using job = script("works", options);
    expect((await job.ended()).code).toBe(2);
    expect(job.stderr()).toMatch(message);
  });
});
