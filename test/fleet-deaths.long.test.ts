import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makeTemporaryFolder, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { app, get, isAlive, serveFleet, up, type Fleet } from "./support/fleet.ts";

const msgs = (fleet: Fleet): string[] => fleet.logs().map(({ msg }) => msg);
const count = (fleet: Fleet, pattern: RegExp): number => msgs(fleet).filter((msg) => pattern.test(msg)).length;

const canLimit = spawnSync("prlimit", ["--version"]).status === 0;
const node = process.env["TSSERVE_TEST_NODE"] ?? process.execPath;

// How many a start needs differs between versions of Node: some of these are too few for it, and with the most of them it serves.
const limits = Array.from({ length: 26 }, (_, n) => 20 + n);

test.skipIf(!canLimit).each(limits)("with %s descriptors a fleet serves, or says what it lacks", async (limit) => {
  await using fleet = await serveFleet({ workers: 1, node: "prlimit", nodeArgs: [`--nofile=${limit}`, node] });
  const ended = fleet.exited();
  await Promise.race([ended, fleet.log(/ is up$| could not be started/).catch(() => undefined)]);
  const isUp = count(fleet, / is up$/) > 0;
  if (isUp) expect((await get(fleet)).greeting).toBe("one");
  if (fleet.child.exitCode === null) fleet.kill("SIGTERM");
  const { code } = await ended;
  const said = `${fleet.stderr()}${fleet.stdout()}`;
  expect(said).not.toMatch(/TypeError|that is no Error|with null/);
  if (isUp) expect(code).toBe(0);
  else expect(said).toMatch(/no more descriptors|EMFILE/);
  if (limit === limits.at(-1)) expect(isUp).toBe(true);
});

test("where the file of its Node has gone, as in an update of Node, each try says so, and an upgrade tells it", async () => {
  const folder = makeTemporaryFolder();
  const copy = join(folder.path, "node");
  copyFileSync(node, copy);
  await using fleet = await serveFleet({ workers: 2, node: copy });
  await up(fleet, 2);
  rmSync(copy);
  expect(await fleet.ctl("upgrade")).toMatchObject({ code: 1, stderr: expect.stringContaining(`spawn ${copy} ENOENT`) });
  const [worker] = (await fleet.settled(2)).workers;
  process.kill(worker?.pid ?? 0, "SIGKILL");
  await until("two tries", () => count(fleet, /^worker=0 .*: a worker could not be started: spawn .* ENOENT/) >= 2);
  expect(count(fleet, /null|undefined/)).toBe(0);
  expect((await get(fleet)).greeting).toBe("one");
  copyFileSync(node, copy);
  await up(fleet, 3);
  fleet.kill("SIGTERM");
  expect(await fleet.exited()).toMatchObject({ code: 0 });
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

  test.skipIf(!canLimit)("while the master has no descriptors left is replaced when there are some; a stop meanwhile ends", async () => {
    await using fleet = await serveFleet({ workers: 2 });
    await up(fleet, 2);
    const limitTo = (limit: number): void => void execFileSync("prlimit", [`--pid=${fleet.pid}`, `--nofile=${limit}:`]);
    const starve = (): void => limitTo(readdirSync(`/proc/${fleet.pid}/fd`).length);
    const failed = (): number => count(fleet, /^worker=0 .*pid=none/);
    const [first] = (await fleet.settled(2)).workers;
    starve();
    process.kill(first?.pid ?? 0, "SIGKILL");
    await until("a second try", () => failed() >= 2);
    expect(count(fleet, /^worker=0 .*: a worker could not be started: .*EMFILE/)).toBeGreaterThan(0);
    expect(count(fleet, /null|undefined/)).toBe(0);
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
  });

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
