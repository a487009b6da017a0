import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { connect } from "node:net";
import { freePort, makeTemporaryFolder, openRaw, spawnTsserve, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { app, get, isAlive, serveFleet, up, type Fleet } from "./support/fleet.ts";
import { afterMounting } from "./support/after-mounting.ts";
import { run } from "./support/run.ts";

const temporaryFolder = (files: Readonly<Record<string, string>>): { readonly path: string; [Symbol.dispose](): void } => {
  const folder = makeTemporaryFolder(files);
  return { path: folder.path, [Symbol.dispose]: () => folder.remove() };
};
const msgs = (fleet: Fleet): string[] => fleet.logs().map(({ msg }) => msg);
const count = (fleet: Fleet, pattern: RegExp): number => msgs(fleet).filter((msg) => pattern.test(msg)).length;
const slow = "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n";
const inProgress = (fleet: Fleet): Promise<unknown> =>
  until("the request to arrive", async () => (await fleet.ctl("status", "--json")).stdout.includes('"active_requests":1'));

/** How the Node that is tested calls its permission model. */
const permission = ["--permission", "--experimental-permission"].find((flag) => process.allowedNodeEnvironmentFlags.has(flag));

test.skipIf(permission === undefined)("a process that may start no thread serves, and says what it lacks", async () => {
  const allowed = `${permission} --allow-fs-read=* --allow-fs-write=*`;
  const folder = makeTemporaryFolder({
    "app.mjs": app("held"),
    "app.ini": "[server:main]\nfactory = tsserve/http\n[app:main]\nfactory = ./app.mjs\n",
  });
  const port = await freePort();
  await using server = spawnTsserve({
    args: ["app.ini", "--bind", `127.0.0.1:${port}`],
    cwd: folder.path,
    env: { NODE_OPTIONS: allowed },
  });
  await server.log(/^listening/);
  await server.log(/^the watchdog thread failed/);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toContain("held");
  server.kill("SIGTERM");
  expect(await server.exited()).toMatchObject({ code: 0 });
  folder.remove();
});

describe("a worker that dies", () => {
  test("is replaced though what it has started holds its stderr open", async () => {
    const source = `import { execFileSync, spawn, spawnSync } from "node:child_process";
      const child = spawn("sleep", ["60"], { stdio: "inherit", detached: true });
      console.error("child " + child.pid);
      ${app("held")}`;
    await using fleet = await serveFleet({ workers: 1, app: source });
    await up(fleet, 1);
    const [worker] = (await fleet.settled(1)).workers;
    process.kill(worker?.pid ?? 0, "SIGKILL");
    await up(fleet, 2);
    expect((await get(fleet)).greeting).toBe("held");
    const children = [...fleet.stderr().matchAll(/^child (\d+)$/gm)].map(([, pid]) => Number(pid));
    expect(children.filter(isAlive)).toHaveLength(children.length);
    for (const pid of children) process.kill(pid, "SIGKILL");
  });

  test.each([
    ["by a signal of somebody's", (worker: number) => void process.kill(worker, "SIGTERM"), /leaves by itself.*SIGTERM/],
    [
      "by an error that nobody catches",
      (_: number, port: number) => void fetch(`http://127.0.0.1:${port}/throw`).catch(() => 0),
      /leaves by itself.*nobody caught/,
    ],
  ])("%s is replaced when it begins to leave, not when it has gone", async (_, end, reason) => {
    const source = app("leaves").replace(
      'else if (request.url === "/block")',
      'else if (request.url === "/throw") setTimeout(() => { throw new Error("mine"); });\n  else if (request.url === "/block")',
    );
    await using fleet = await serveFleet({ workers: 1, app: source, server: "drain_time = 60 seconds" });
    await up(fleet, 1);
    const [worker] = (await fleet.settled(1)).workers;
    end(worker?.pid ?? 0, fleet.port);
    await fleet.log(reason);
    // It drains for a minute yet.
    await up(fleet, 2);
    expect(isAlive(worker?.pid ?? 0)).toBe(true);
    await fleet.ctl("stop", "--now");
  });

  test("soon after its ACK, again and again, is started after growing delays", async () => {
    await using fleet = await serveFleet({
      workers: 1,
      app: `setTimeout(() => process.kill(process.pid, "SIGKILL"), 600);\n${app("young")}`,
    });
    const delays = (): number[] => fleet.logs().flatMap((line) => (typeof line["delay_ms"] === "number" ? [line["delay_ms"]] : []));
    await until("three of them", () => delays().length >= 3, { timeoutMs: 45_000 });
    expect(delays().slice(0, 3)).toEqual([250, 500, 1000]);
  });

  test.skipIf(spawnSync("prlimit", ["--version"]).status !== 0)(
    "while the master has no descriptors left is replaced when there are some; a stop meanwhile ends",
    async () => {
      await using fleet = await serveFleet({ workers: 2 });
      await up(fleet, 2);
      const limitTo = (limit: number): void => void execFileSync("prlimit", [`--pid=${fleet.pid}`, `--nofile=${limit}:`]);
      const starve = (): void => limitTo(readdirSync(`/proc/${fleet.pid}/fd`).length);
      const failed = (): number => count(fleet, /^worker=0 .*pid=none/);
      const [first] = (await fleet.settled(2)).workers;
      starve();
      process.kill(first?.pid ?? 0, "SIGKILL");
      await until("a second try", () => failed() >= 2);
      expect((await get(fleet)).greeting).toBe("one");
      limitTo(1000);
      await up(fleet, 3);
      await fleet.settled(2);
      starve();
      const [successor] = (await fleet.settled(2)).workers;
      const before = failed();
      process.kill(successor?.pid ?? 0, "SIGKILL");
      await until("a try", () => failed() > before);
      fleet.kill("SIGTERM");
      expect(await fleet.exited()).toMatchObject({ code: 0 });
    },
  );

  test("says all that it wrote to stderr before it ended", async () => {
    const source = `if (process.env.EINHORN_CHILD_INDEX === "0") {
      for (let line = 0; line < 5000; line++) console.error("line " + line + " ".repeat(80));
      process.exit(7);
    }
    ${app("whole")}`;
    await using fleet = await serveFleet({ workers: 2, app: source });
    await until("the last line", () => fleet.stderr().includes("line 4999 "));
    expect(fleet.stderr().match(/^line 4\d\d\d /gm)?.length).toBeGreaterThanOrEqual(1000);
  });
});

test("max_memory below what a fresh worker needs is told, and does not replace for ever", async () => {
  await using fleet = await serveFleet({ workers: 1, server: "max_memory = 1M" });
  const line = await until("the warning", () =>
    fleet.logs().find(({ msg }) => msg.startsWith("max_memory is below what a fresh worker needs")),
  );
  expect(line).toMatchObject({ level: "warn", max_memory_bytes: 2 ** 20 });
  expect(count(fleet, /is replaced: max_memory/)).toBe(2);
  expect((await fleet.settled(1)).workers).toHaveLength(1);
});

describe("an order to stop", () => {
  test("that reaches master and workers at once, as systemd sends it, keeps the drain", async () => {
    await using fleet = await serveFleet({ server: "drain_time = 3 seconds" });
    await up(fleet, 2);
    const { workers } = await fleet.settled(2);
    for (const pid of [fleet.pid, ...workers.map((worker) => worker.pid)]) process.kill(pid, "SIGTERM");
    await fleet.log(/readiness fails from now on, draining for 3000 ms/);
    // They serve on while they drain.
    expect((await get(fleet)).greeting).toBe("one");
    expect(await fleet.exited(20_000)).toMatchObject({ code: 0 });
    expect(count(fleet, /ending the drain/)).toBe(0);
  });

  test("may be repeated by ctl: requests in progress are answered", async () => {
    await using fleet = await serveFleet({ workers: 1 });
    await up(fleet, 1);
    using raw = await openRaw(`http://127.0.0.1:${fleet.port}`);
    raw.send(slow);
    await inProgress(fleet);
    expect(await fleet.ctl("stop")).toMatchObject({ code: 0, stdout: "stopping\n" });
    for (let time = 0; time < 3; time++) await fleet.ctl("stop");
    expect(await raw.closed()).toMatch(/200 OK[^]*slow$/);
    expect(await fleet.exited()).toMatchObject({ code: 0 });
  });

  test("with --now cuts them, and the exit code says so", async () => {
    const source = app("cut").replace("1500", "600_000");
    await using fleet = await serveFleet({ workers: 1, app: source, server: "drain_time = 10 minutes\nstop_timeout = 10 minutes" });
    await up(fleet, 1);
    using raw = await openRaw(`http://127.0.0.1:${fleet.port}`);
    raw.send(slow);
    await inProgress(fleet);
    expect(await fleet.ctl("stop", "--now")).toMatchObject({ code: 0 });
    expect(await fleet.exited(20_000)).toMatchObject({ code: 1 });
    expect(count(fleet, /cut at the stop deadline: GET/)).toBe(1);
  });

  test("while the fleet starts, after the first answer, ends with 0", async () => {
    await using fleet = await serveFleet({
      workers: 2,
      app: `if (process.env.EINHORN_CHILD_INDEX === "1") await new Promise(() => setTimeout(() => {}, 60_000));\n${app("first")}`,
    });
    await until("the first answer", () => get(fleet).catch(() => undefined));
    fleet.kill("SIGTERM");
    expect(await fleet.exited(20_000)).toMatchObject({ code: 0 });
  });
});

test("the control socket's file may be removed: workers are replaced, and the file comes again", async () => {
  await using fleet = await serveFleet({ workers: 1 });
  await up(fleet, 1);
  const [worker] = (await fleet.settled(1)).workers;
  rmSync(fleet.socket);
  process.kill(worker?.pid ?? 0, "SIGKILL");
  await up(fleet, 2);
  await until("the file", () => existsSync(fleet.socket));
  expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
  expect(fleet.logs().find(({ msg }) => msg.includes("had been removed"))).toMatchObject({ level: "warn" });
});

test("the metrics folder may be removed: the fleet's state is written again", async () => {
  const port = await freePort();
  await using fleet = await serveFleet({
    workers: 1,
    server: `metrics.endpoint = 127.0.0.1:${port}`,
    env: { PROMETHEUS_MULTIPROC_DIR: undefined },
  });
  await up(fleet, 1);
  const folder = await until("its folder", () => metricsFolder(fleet.pid));
  rmSync(folder, { recursive: true });
  await until("it again", () => existsSync(folder));
  expect((await get(fleet)).greeting).toBe("one");
});

describe("what a machine may lack, or lose while a fleet serves:", () => {
  /** All that is counted so far, and whose gauges there are. */
  const scraped = async (port: number): Promise<{ readonly requests: number; readonly pids: number }> => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const counts = [...text.matchAll(/^http_server_requests_total\{.*\} (\d+)$/gm)].map(([, value]) => Number(value));
    const pids = new Set([...text.matchAll(/^runtime_heap_used_bytes\{.*pid="(\d+)"/gm)].map(([, pid]) => pid));
    return { requests: counts.reduce((sum, value) => sum + value, 0), pids: pids.size };
  };
  const cases = [
    { what: "the whole folder for temporary files", as: (lost: string) => ({ env: { TMPDIR: lost } }) },
    { what: "the working folder", as: (lost: string) => ({ startIn: lost }) },
    { what: "/proc", as: () => afterMounting("mount -t tmpfs none /proc") },
  ];
  // Who is not root can't hide /proc.
  test.each(cases.filter(({ what }) => what !== "/proc" || process.getuid?.() === 0))(
    "$what: sums go on, workers are replaced and upgraded, and it stops as asked",
    async ({ as }) => {
      using lost = temporaryFolder({});
      const port = await freePort();
      await using fleet = await serveFleet({
        server: `metrics.endpoint = 127.0.0.1:${port}`,
        ...as(lost.path),
      });
      await up(fleet, 2);
      for (let n = 0; n < 5; n++) await get(fleet);
      await until("all to be counted", async () => (await scraped(port)).requests === 5);
      rmSync(lost.path, { recursive: true });
      for (let n = 0; n < 5; n++) await get(fleet);
      await until("sums to go on", async () => (await scraped(port)).requests === 10);
      await until("both workers in a scrape", async () => (await scraped(port)).pids === 2);
      const [worker] = (await fleet.settled(2)).workers;
      process.kill(worker?.pid ?? 0, "SIGKILL");
      await until("another in its place", async () => (await fleet.settled(2)).workers.every(({ pid }) => pid !== worker?.pid));
      expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
      expect((await get(fleet)).greeting).toBe("one");
      fleet.kill("SIGTERM");
      expect(await fleet.exited()).toMatchObject({ code: 0 });
    },
  );
});

function metricsFolder(pid: number): string | undefined {
  const found = readdirSync(tmpdir()).find((name) => name.startsWith(`tsserve-metrics-${pid}-`));
  return found === undefined ? undefined : `${tmpdir()}/${found}`;
}

test("an upgrade applies the master's share of the file, and logs every difference", async () => {
  await using fleet = await serveFleet({ workers: 1, server: "stop_timeout = 1 second" });
  await up(fleet, 1);
  const ini = readFileSync(`${fleet.folder}/app.ini`, "utf8");
  fleet.write(
    "app.ini",
    `${ini.replace("stop_timeout = 1 second", "stop_timeout = 2 minutes\nmax_requests = 5").replace("ctl.sock", "moved.sock")}[logging]\nlevel = debug\n`,
  );
  expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
  const told = msgs(fleet).filter((msg) => msg.startsWith("["));
  expect(told).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^\[server:main\] stop_timeout: 1 second → 2 minutes; from now on/) as string,
      expect.stringMatching(/^\[server:main\] max_requests: not set → 5; from now on/) as string,
      expect.stringMatching(/^\[logging\] level: info → debug/) as string,
    ]),
  );
  await until("the socket in its new place", () => existsSync(`${fleet.folder}/moved.sock`) && !existsSync(fleet.socket));
  // The raised limit holds for the new worker: what takes longer than the old one is answered.
  for (let time = 0; time < 6; time++) await get(fleet);
  await fleet.log(/is replaced: max_requests: it has served/);
});

test("what nobody catches in the master ends nothing: the reader of its stderr has gone, and a worker writes", async () => {
  const port = await freePort();
  using folder = temporaryFolder({
    "package.json": '{"type":"module"}',
    "app.js": `setInterval(() => console.error("a word"), 50);\n${app("quiet")}`,
    "app.ini": "[server:main]\nfactory = tsserve/http\nmetrics.enabled = false\n[app:main]\nfactory = ./app.js\n",
  });
  const bin = `${import.meta.dirname}/../packages/tsserve/bin/tsserve.js`;
  const child = spawn(
    process.env["TSSERVE_TEST_NODE"] ?? process.execPath,
    [bin, "app.ini", "--workers", "1", "--bind", `127.0.0.1:${port}`],
    {
      cwd: folder.path,
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const answer = async (): Promise<string> => ((await (await fetch(`http://127.0.0.1:${port}`)).json()) as { greeting: string }).greeting;
  try {
    await until("it", () => answer().catch(() => undefined));
    await new Promise((resolve) => child.stderr.once("data", resolve));
    child.stderr.destroy();
    for (let time = 0; time < 10; time++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await answer()).toBe("quiet");
    }
  } finally {
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
  }
});

describe("two masters at once", () => {
  test("on one unix socket: one serves, the other says why and exits", async () => {
    using folder = temporaryFolder({
      "package.json": '{"type":"module"}',
      "app.js": app("one of two"),
      "app.ini": "[server:main]\nfactory = tsserve/http\nmetrics.enabled = false\n[app:main]\nfactory = ./app.js\n",
    });
    const args = ["app.ini", "--workers", "1", "--bind", `${folder.path}/app.sock`];
    const masters = [0, 1].map((index) => spawnTsserve({ args: [...args, "--socket", `${folder.path}/${index}.sock`], cwd: folder.path }));
    try {
      const ended = await Promise.race(masters.map(async (master) => ({ master, code: (await master.exited(30_000)).code })));
      expect(ended.code).toBe(3);
      expect(ended.master.stderr()).toContain(`cannot listen on ${folder.path}/app.sock: another process is listening there`);
      const other = masters.find((master) => master !== ended.master);
      await until("the other", () => other?.logs().some(({ msg }) => msg.endsWith(" is up")));
      const socket = connect(`${folder.path}/app.sock`);
      socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
      const text = await new Promise<string>((resolve) => socket.once("data", (bytes) => resolve(bytes.toString())));
      expect(text).toMatch(/^HTTP\/1.1 200/);
    } finally {
      for (const master of masters) {
        master.kill("SIGTERM");
        await master.exited(20_000);
      }
    }
  });

  test("on one control socket: the other says why and exits", async () => {
    await using fleet = await serveFleet({ workers: 1 });
    await up(fleet, 1);
    await using second = await serveFleet({ workers: 1, args: ["--socket", fleet.socket] });
    expect(await second.exited()).toMatchObject({ code: 3 });
    expect(second.stderr()).toBe(`cannot listen on ${fleet.socket}: another process is listening there (EADDRINUSE)\n`);
    expect(await fleet.ctl("status")).toMatchObject({ code: 0 });
  });
});

test.each([
  ["--bind", ["app.ini", "--bind", `/tmp/${"x".repeat(120)}`], 3],
  ["--bind of a master", ["app.ini", "--workers", "1", "--bind", `/tmp/${"x".repeat(120)}`], 3],
  ["--socket", ["app.ini", "--workers", "1", "--bind", "127.0.0.1:0", "--socket", `/tmp/${"x".repeat(120)}`], 3],
  ["ctl --socket", ["ctl", "status", "--socket", `/tmp/${"x".repeat(120)}`], 1],
])("a path that is too long for a unix socket is answered by a sentence: %s", async (_, args, code) => {
  const files = {
    "a.js": "export const makeApp = () => () => {};",
    "package.json": '{"type":"module"}',
    "app.ini": "[server:main]\nfactory = tsserve/http\nmetrics.enabled = false\n[app:main]\nfactory = ./a.js\n",
  };
  const ended = await run(files, args);
  expect(ended).toMatchObject({ code });
  expect(ended.stderr).toMatch(/x: the path of a unix socket may have at most 10\d bytes, and this one has 125 \(ENAMETOOLONG\)/);
});

test("after kill -9 of a master a new one comes up, though its workers had a drain before them", async () => {
  await using fleet = await serveFleet({ server: "drain_time = 60 seconds" });
  await up(fleet, 2);
  fleet.kill("SIGKILL");
  fleet.write("app.ini", readFileSync(`${fleet.folder}/app.ini`, "utf8").replace("60 seconds", "0 seconds"));
  await using next = spawnTsserve({
    args: ["app.ini", "--bind", `127.0.0.1:${fleet.port}`, "--workers", "1"],
    cwd: fleet.folder,
  });
  await until("the next one", () => next.logs().some(({ msg }) => msg.endsWith(" is up")));
  expect((await get(fleet)).greeting).toBe("one");
  next.kill("SIGTERM");
  expect(await next.exited(20_000)).toMatchObject({ code: 0 });
});

test("ctl without --socket finds the only server of its user; top shows the status; a single process can be asked, too", async () => {
  using temporary = temporaryFolder({});
  const env = { TMPDIR: temporary.path, XDG_RUNTIME_DIR: "" };
  await using fleet = await serveFleet({ workers: 1, env });
  await up(fleet, 1);
  const found = await run({}, ["ctl", "status"], { env });
  expect(found).toMatchObject({ code: 0, stdout: expect.stringMatching(/^master \d+, generation 1\nWORKER/) as string });
  await using single = spawnTsserve({
    args: ["app.ini", "--bind", "127.0.0.1:0", "--socket", "single.sock"],
    cwd: fleet.folder,
    env,
  });
  await until("it", () => existsSync(`${fleet.folder}/single.sock`));
  expect(await run({}, ["ctl", "status"], { env })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("several run here") as string,
  });
  const ask = (...args: string[]) => run({}, ["ctl", ...args, "--socket", `${fleet.folder}/single.sock`]);
  expect(JSON.parse((await ask("status", "--json")).stdout)).toMatchObject({
    pid: single.pid,
    generation: 1,
    workers: [{ index: 0, pid: single.pid, state: "up" }],
  });
  expect(await ask("upgrade")).toMatchObject({ code: 1, stderr: expect.stringContaining("this is a single process") as string });
  await using top = spawnTsserve({ args: ["ctl", "top", "--socket", `${fleet.folder}/single.sock`] });
  await until("two of them", () => top.stdout().split("WORKER").length > 2);
  top.kill("SIGINT");
  expect(await top.exited()).toMatchObject({ code: 0 });
  expect(await ask("stop")).toMatchObject({ code: 0, stdout: "stopping\n" });
  expect(await single.exited()).toMatchObject({ code: 0 });
});

test("under Einhorn by way of a shell it is said why nothing acknowledges", async () => {
  using folder = temporaryFolder({
    "package.json": '{"type":"module"}',
    "app.js": app("shell"),
    "app.ini": "[server:main]\nfactory = tsserve/http\nmetrics.enabled = false\n[app:main]\nfactory = ./app.js\n",
  });
  const bin = `${import.meta.dirname}/../packages/tsserve/bin/tsserve.js`;
  const command = `"${process.env["TSSERVE_TEST_NODE"] ?? process.execPath}" "${bin}" app.ini --bind 127.0.0.1:0; true`;
  const child = spawn("/bin/sh", ["-c", command], {
    cwd: folder.path,
    env: { ...process.env, EINHORN_MASTER_PID: String(process.pid) },
    stdio: ["ignore", "pipe", "ignore"],
  });
  let output = "";
  child.stdout.on("data", (bytes: Buffer) => (output += bytes.toString()));
  await until("it to serve", () => output.includes("listening on"));
  const line = output.split("\n").find((each) => each.includes("Einhorn"));
  expect(line).toMatch(/Einhorn \(pid \d+\) has not started this process itself: between them is sh \(pid \d+\)/);
  const pid = Number(/"pid":(\d+)/.exec(output)?.[1]);
  process.kill(pid, "SIGTERM");
  await new Promise((resolve) => child.once("exit", resolve));
});
