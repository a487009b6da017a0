import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { load, lost, makeTemporaryFolder, openRaw, until } from "@tsserve/testing";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { get, serveFleet, up, type Fleet } from "./support/fleet.ts";
import { afterMounting } from "./support/after-mounting.ts";
import { hasProgram } from "./support/measured.ts";
import { run } from "./support/run.ts";
import { serve, type Served } from "./support/serve.ts";

interface CpuProfile {
  readonly nodes: readonly { readonly callFrame: { readonly functionName: string; readonly url: string } }[];
}

const source = `
function spinForever(ms) { let sum = 0; for (const end = Date.now() + ms; Date.now() < end; ) sum += Math.sqrt(sum + 1); return sum; }
const kept = [];
function keepMuch() { for (let n = 0; n < 5000; n++) kept.push({ n, text: "kept " + n }); }
export const makeApp = () => (request, response) => {
  if (request.url.startsWith("/spin/")) spinForever(Number(request.url.slice(6)));
  if (request.url === "/keep") keepMuch();
  response.end(JSON.stringify({ pid: process.pid }));
};
`;

/** A fleet whose profiles land in its folder. */
async function profiled(workers: number, server = ""): Promise<Fleet> {
  const fleet = await serveFleet({ workers, server: `metrics.enabled = false\nprofile_dir = .\n${server}`, app: source });
  await up(fleet, workers);
  return fleet;
}

const single = (server: Readonly<Record<string, string>> = {}): Served =>
  serve({ app: "stuck.js", server: { control_socket: "./ctl.sock", profile_dir: ".", "metrics.enabled": "false", ...server } });
const ctl = (server: Served, ...args: string[]): ReturnType<typeof run> =>
  run({}, ["ctl", ...args, "--socket", "ctl.sock"], { cwd: server.folder });
const namesIn = (path: string): string[] =>
  (JSON.parse(readFileSync(path, "utf8")) as CpuProfile).nodes.map(({ callFrame }) => callFrame.functionName);
/** Where a command says that its file is. */
const pathIn = (stdout: string): string => /: (\/\S+)$/.exec(stdout.trim())?.[1] ?? "";
const portsOf = (pid: number): string =>
  spawnSync("ss", ["-ltnpH"], { encoding: "utf8" })
    .stdout.split("\n")
    .filter((line) => line.includes(`pid=${pid},`))
    .join("\n");

describe("a CPU profile", () => {
  test("of a stuck worker names the function in which it is stuck; SIGUSR1 has its stack meanwhile, and no port is opened", async () => {
    await using fleet = await profiled(2);
    const before = (await fleet.status()).workers;
    const answer = fetch(`http://127.0.0.1:${fleet.port}/spin/8000`);
    // Whoever says nothing any more is the one that is profiled where none is named.
    await until("one to be stuck", async () => (await fleet.ctl("profile", "cpu", "--seconds", "0.1")).stdout.includes("stuck of 2"));
    const taken = fleet.ctl("profile", "cpu", "--seconds", "1", "-o", "stuck.cpuprofile");
    await fleet.log(/^ctl profile: a CPU profile for 1 s of worker \d, asked for by \S+ \(ctl pid \d+\)$/);
    for (const { pid } of before) process.kill(pid, "SIGUSR1");
    expect(portsOf(before[0]?.pid ?? 0)).not.toMatch(/:9229\b/);
    const { code, stdout } = await taken;
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^worker \d \(pid \d+, stuck of 2\): \S+\/stuck\.cpuprofile\n$/)]);
    expect(namesIn(join(fleet.folder, "stuck.cpuprofile"))).toContain("spinForever");
    const stack = await fleet.log(/^SIGUSR1: the event loop is stuck; this is where/);
    expect(stack["stack"]).toContain("spinForever");
    expect((await answer).status).toBe(200);
    expect((await fleet.status()).workers.map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid));
    await expect(openRaw("http://127.0.0.1:9229").then(({ error }) => error)).resolves.toBe("ECONNREFUSED");
  });

  test("of a stuck single process, too, and of one that is not stuck", async () => {
    await using server = single();
    const base = await server.listening();
    const quick = await ctl(server, "profile", "cpu", "--seconds", "0.2");
    expect(quick.stdout).toMatch(/^the process \(pid \d+\): \/\S+\/tsserve-process-pid-\d+-[-\dTZ]+\.cpuprofile\n$/);
    expect(statSync(pathIn(quick.stdout)).mode & 0o777).toBe(0o600);
    const answer = fetch(`${base}/spin/9000`);
    await server.log(/^spinning/);
    const stuck = await ctl(server, "profile", "cpu", "--seconds", "1");
    expect(stuck.stdout).toMatch(/^the process \(pid \d+, stuck\): /);
    expect(namesIn(pathIn(stuck.stdout))).toContain("spinForever");
    expect((await answer).status).toBe(200);
    expect(readdirSync(server.folder)).not.toContain("ctl.sock.stuck");
  });

  test("is taken one at a time of a worker, and worker_timeout goes on beside it", async () => {
    await using fleet = await profiled(1, "worker_timeout = 3 seconds");
    const first = fleet.ctl("profile", "cpu", "--seconds", "60");
    await fleet.log(/^ctl profile: a CPU profile for 60 s/);
    const { code, stderr } = await fleet.ctl("profile", "heap", "--seconds", "1");
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^worker 0 \(pid \d+\): this worker is being profiled already: a CPU profile for 60 s, asked for by/),
    ]);
    const answer = fetch(`http://127.0.0.1:${fleet.port}/spin/60000`).catch(() => undefined);
    // Its end is an answer to who waits.
    expect(await first).toMatchObject({ code: 1, stderr: expect.stringMatching(/^worker 0 \(pid \d+\): it ended while it was profiled/) });
    await fleet.log(/has stood still for/);
    await answer;
    await up(fleet, 2);
    expect((await fleet.ctl("profile", "heap", "--seconds", "0.1")).code).toBe(0);
  });

  test("of a worker that is killed meanwhile is an answer, and so is one of a process that is stopped", async () => {
    await using fleet = await profiled(2);
    const taken = fleet.ctl("profile", "cpu", "--worker", "1", "--seconds", "60");
    const { pid } = (await fleet.status()).workers[1] ?? { pid: 0 };
    await fleet.log(/^ctl profile: a CPU profile for 60 s of worker 1/);
    process.kill(pid, "SIGKILL");
    expect(await taken).toMatchObject({ code: 1, stderr: `worker 1 (pid ${pid}): it ended while it was profiled\n` });
    const another = fleet.ctl("profile", "cpu", "--worker", "0", "--seconds", "60");
    await fleet.log(/^ctl profile: a CPU profile for 60 s of worker 0/);
    fleet.kill();
    expect((await another).code).toBe(1);
    expect((await fleet.exited()).code).toBe(0);
    expect(fleet.stderr()).not.toMatch(/debugger/i);
  });
});

describe("a profile", () => {
  test("comes as V8 has it, for pprof, and as a page", async () => {
    await using fleet = await profiled(2);
    for (let n = 0; n < 5; n++) await get(fleet, "/spin/50");
    const pprof = await fleet.ctl("profile", "cpu", "--worker", "1", "--seconds", "0.5", "--format", "pprof", "-o", "p.pb.gz");
    expect(pprof.stdout).toBe(`worker 1 (pid ${(await fleet.status()).workers[1]?.pid}): ${fleet.folder}/p.pb.gz\n`);
    expect(gunzipSync(readFileSync(join(fleet.folder, "p.pb.gz"))).toString("latin1")).toContain("nanoseconds");
    const heap = fleet.ctl("profile", "heap", "--seconds", "2", "--json");
    await fleet.log(/^ctl profile: a heap profile/);
    for (let n = 0; n < 8; n++) await get(fleet, "/keep");
    const answer = JSON.parse((await heap).stdout) as { worker: number; pid: number; path: string; bytes: number };
    expect(answer).toMatchObject({ path: expect.stringMatching(/\.heapprofile$/), bytes: statSync(answer.path).size });
    expect(JSON.parse(readFileSync(answer.path, "utf8"))).toHaveProperty("head.callFrame.functionName", "(root)");
    const page = await fleet.ctl("profile", "heap", "--worker", "0", "--seconds", "0.2", "--format", "html");
    expect(pathIn(page.stdout)).toMatch(/\.html$/);
    expect(statSync(pathIn(page.stdout)).mode & 0o777).toBe(0o600);
    // What was turned into something else is not left behind.
    expect(readdirSync(fleet.folder).filter((name) => name.endsWith("profile"))).toHaveLength(1);
  });

  test("is refused in words: what is there already, a folder that can't be written to, workers and words that there are not", async () => {
    await using fleet = await profiled(1);
    writeFileSync(join(fleet.folder, "mine"), "precious");
    const refused = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await fleet.ctl("profile", ...args);
      expect(code).not.toBe(0);
      return stderr;
    };
    expect(await refused("cpu", "-o", "mine")).toContain("-o mine: exists already, and is not overwritten");
    expect(await refused("cpu", "-o", "no/where")).toContain("-o no/where: there is no folder");
    expect(await refused("cpu", "--worker", "7")).toBe("there is no worker 7; there are 0\n");
    expect(await refused("cpu", "--worker", "x")).toContain('--worker: expected the number of a worker, from 0 on, found "x"');
    expect(await refused("gpu")).toContain('found "gpu", did you mean "cpu"?');
    expect(await refused("cpu", "--seconds", "0")).toContain("--seconds: expected a number of seconds above 0");
    expect(await refused("cpu", "--format", "htm")).toContain('found "htm", did you mean "html"?');
    expect(await refused("snapshot", "--format", "html")).toContain("--format: a snapshot is a .heapsnapshot");
    expect(readFileSync(join(fleet.folder, "mine"), "utf8")).toBe("precious");
    await using elsewhere = single({ profile_dir: "./nowhere" });
    await elsewhere.listening();
    expect((await ctl(elsewhere, "profile", "cpu", "--seconds", "0.1")).stderr).toMatch(
      /^profile_dir: can't write to \/\S+\/nowhere: ENOENT/,
    );
    writeFileSync(join(elsewhere.folder, "nowhere"), "a file");
    expect((await ctl(elsewhere, "profile", "cpu", "--seconds", "0.1")).stderr).toMatch(
      /^profile_dir: can't write to \/\S+\/nowhere: ENOTDIR/,
    );
    rmSync(join(elsewhere.folder, "nowhere"));
    mkdirSync(join(elsewhere.folder, "nowhere"));
    expect((await ctl(elsewhere, "profile", "cpu", "--seconds", "0.1")).code).toBe(0);
  });
});

describe("a heap snapshot", () => {
  test("in a fleet of four under load costs no request: its worker steps aside, and is there again", async () => {
    await using fleet = await profiled(4, "worker_timeout = 2 seconds");
    for (let n = 0; n < 40; n++) await get(fleet, "/keep");
    const before = (await fleet.status()).workers.map(({ pid }) => pid);
    const over = new AbortController();
    const options = { port: fleet.port, clients: 6, expect: (body: string) => body.startsWith('{"pid"'), signal: over.signal };
    const loads = [load({ ...options, keepAlive: true }), load({ ...options, keepAlive: false })];
    for (const worker of ["1", "1", "2"]) {
      const { code, stdout, stderr } = await fleet.ctl("profile", "snapshot", "--worker", worker);
      expect([code, stderr]).toEqual([0, ""]);
      const { snapshot } = JSON.parse(readFileSync(pathIn(stdout), "utf8")) as { snapshot: { node_count: number } };
      expect(snapshot.node_count).toBeGreaterThan(10_000);
    }
    // They serve again: somebody is answered by each.
    const served = new Set<number>();
    await until("answers of all four", async () => served.add((await get(fleet)).pid).size === 4);
    over.abort();
    for (const result of await Promise.all(loads)) expect([lost(result), result.failures]).toEqual([0, []]);
    expect((await fleet.status()).workers.map(({ pid }) => pid)).toEqual(before);
  });

  test.runIf(process.getuid?.() === 0)("is refused with the figures where memory is short, unless --force", async () => {
    const folder = makeTemporaryFolder({ meminfo: "MemTotal: 1000000 kB\nMemFree: 1024 kB\nMemAvailable: 1024 kB\n" });
    // What the worker takes for the memory of the machine, in a mount namespace of its own.
    await using poor = serve({
      server: { control_socket: "./ctl.sock", profile_dir: ".", "metrics.enabled": "false" },
      ...afterMounting(`mount --bind ${folder.path}/meminfo /proc/meminfo`),
    });
    await poor.listening();
    const { code, stderr } = await ctl(poor, "profile", "snapshot");
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /^a snapshot takes about 3 times the heap, 3 × \d+ MB = \d+ MB, and 1 MB are free; --force takes it nevertheless\n$/,
      ),
    ]);
    expect((await ctl(poor, "profile", "snapshot", "--force")).code).toBe(0);
    folder.remove();
  });
});

test.runIf(process.getuid?.() === 0).each(["cpu", "snapshot"])(
  "what a full disk has no room for is no profile, and takes no room either: %s",
  async (kind) => {
    const folder = makeTemporaryFolder();
    // A disk of a page, which is taken, in a mount namespace of its own.
    await using server = serve({
      server: { control_socket: "./ctl.sock", profile_dir: folder.path, "metrics.enabled": "false" },
      ...afterMounting(`mount -t tmpfs -o size=4k tmpfs ${folder.path} && head -c 4096 /dev/zero >${folder.path}/full`),
    });
    const base = await server.listening();
    const taken = await ctl(server, "profile", kind, ...(kind === "cpu" ? ["--seconds", "0.5"] : []));
    expect([taken.code, taken.stderr]).toEqual([1, `profile_dir: can't write to ${folder.path}: ENOSPC: no space left on device, write\n`]);
    const pid = Number(server.logs()[0]?.["pid"]);
    expect(readdirSync(`/proc/${pid}/root${folder.path}`)).toEqual(["full"]);
    const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    expect(open.filter((path) => path.startsWith(folder.path))).toEqual([]);
    expect((await fetch(base)).status).toBe(200);
    folder.remove();
  },
);

const executablePath = "/usr/bin/chromium";

describe.runIf(hasProgram(executablePath))("the page of a profile, in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  });
  afterAll(() => browser.close());

  /** A page that must not complain, and not ask for anything. */
  async function open(path: string, width: number, colorScheme: "light" | "dark"): Promise<{ page: Page; complaints: string[] }> {
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 800 } });
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (request) => {
      if (!/^(?:file|data):/.test(request.url())) complaints.push(`asks for ${request.url()}`);
    });
    await page.goto(`file://${path}`);
    return { page, complaints };
  }

  test("shows where time goes: search, zoom, figures, by keyboard, light and dark, wide and narrow", async () => {
    await using server = single();
    const base = await server.listening();
    const answer = fetch(`${base}/spin/6000`);
    await server.log(/^spinning/);
    const { stdout } = await ctl(server, "profile", "cpu", "--seconds", "1", "--format", "html");
    await answer;
    for (const [width, scheme] of [
      [1200, "light"],
      [400, "dark"],
    ] as const) {
      const { page, complaints } = await open(pathIn(stdout), width, scheme);
      expect(await page.title()).toMatch(/^CPU profile of the process \(pid \d+, stuck\)$/);
      const frame = page.getByRole("treeitem", { name: /^spinForever, / }).first();
      await frame.hover();
      await expect.poll(() => page.getByRole("tooltip").innerText()).toMatch(/spinForever\n\S+stuck\.js:\d+\n[\d.]+ m?s, \d+ %; itself/);
      await page.keyboard.press("/");
      await page.keyboard.type("spinfor");
      await expect.poll(() => page.getByRole("status").innerText()).toMatch(/^[\d.]+ m?s, \d+/);
      await page.keyboard.press("Escape");
      await expect.poll(() => page.getByRole("status").innerText()).toBe("");
      await frame.focus();
      await page.keyboard.press("ArrowUp");
      const caller = await page.evaluate<string>(`document.activeElement.getAttribute("aria-label")`);
      expect(caller).not.toMatch(/^spinForever/);
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Enter");
      await expect.poll(() => page.getByRole("navigation").innerText()).toMatch(/^all/);
      await page.getByRole("button", { name: "Show all" }).click();
      await expect.poll(() => page.getByRole("navigation").innerText()).toBe("");
      expect(await page.locator("#top tbody tr").first().innerText()).toMatch(/stuck\.js/);
      expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(width);
      expect(complaints).toEqual([]);
      await page.close();
    }
  });
});
