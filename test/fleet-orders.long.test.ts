import { existsSync, readFileSync } from "node:fs";
import { freePort, makeTemporaryFolder, openRaw, spawnTsserve, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { app, busy, type Fleet, get, serveFleet, up } from "./support/fleet.ts";
import { run } from "./support/run.ts";
import { scrape } from "./support/scrape.ts";

const msgs = (fleet: Fleet): string[] => fleet.logs().map(({ msg }) => msg);
const count = (fleet: Fleet, pattern: RegExp): number => msgs(fleet).filter((msg) => pattern.test(msg)).length;
const slow = "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n";

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
    await busy(fleet);
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
    await busy(fleet);
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

test("an upgrade moves the exporter, turns it off and on again, as it says that it does", async () => {
  await using fleet = await serveFleet({ workers: 1, server: "metrics.enabled = false" });
  await up(fleet, 1);
  const ini = readFileSync(`${fleet.folder}/app.ini`, "utf8");
  const ports = [await freePort(), await freePort()];
  const answering = async (): Promise<number[]> => {
    const asked = ports.map(async (port) => ((await scrape(port).catch(() => undefined))?.status === 200 ? [port] : []));
    return (await Promise.all(asked)).flat();
  };
  const none: number[] = [];
  for (const port of [...ports, undefined, ports[0]]) {
    const settings = port === undefined ? "metrics.enabled = false" : `metrics.enabled = true\nmetrics.endpoint = 127.0.0.1:${port}`;
    fleet.write("app.ini", ini.replace(/metrics\.endpoint = .*\n/, "").replace("metrics.enabled = false", settings));
    expect(await fleet.ctl("upgrade")).toMatchObject({ code: 0 });
    await until(`the exporter at ${port}`, async () => String(await answering()) === String(port === undefined ? none : [port]));
  }
});

test("ctl without --socket finds the only server of its user; top shows the status; a single process can be asked, too", async () => {
  using temporary = makeTemporaryFolder({});
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
