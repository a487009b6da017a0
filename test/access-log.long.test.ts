import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { load, lost, makeTemporaryFolder, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { hasProgram } from "./support/measured.ts";
import { run } from "./support/run.ts";
import { serve } from "./support/serve.ts";

/** Lines of all files of a folder whose names begin like this one, those of the oldest first. */
function linesOf(folder: string, name = "access.log"): string[] {
  const files = readdirSync(folder).filter((file) => file.startsWith(name));
  return files.flatMap((file) => readFileSync(join(folder, file), "utf8").split("\n").filter(Boolean));
}

/** The ids of the lines; throws at one that is torn. */
const idsOf = (lines: readonly string[]): string[] => lines.map((line) => (JSON.parse(line) as { req_id: string }).req_id);

test("four workers, the file renamed and opened anew again and again, one killed: no line is torn, none is there twice, none is missing", async () => {
  await using fleet = serve({
    app: "plain.js",
    server: { access_log: "./access.log", control_socket: "./ctl.sock" },
    more: "[logging]\nlevels.tsserve.access = warn",
    args: ["--workers", "4"],
  });
  const base = await fleet.listening();
  await until("four workers", () => fleet.logs().filter(({ msg }) => msg.endsWith(" is up")).length === 4);
  const ctl = (...args: string[]): ReturnType<typeof run> => run({}, ["ctl", ...args, "--socket", "ctl.sock"], { cwd: fleet.folder });
  const hello = await (await fetch(base)).text();
  const stop = new AbortController();
  const running = load({ port: Number(new URL(base).port), clients: 6, keepAlive: true, expect: hello, signal: stop.signal });
  let renamed = 0;
  const renames = (async () => {
    for (let n = 0; !stop.signal.aborted; n++) {
      if (existsSync(join(fleet.folder, "access.log"))) {
        renameSync(join(fleet.folder, "access.log"), join(fleet.folder, `access.log.${n}`));
        renamed += 1;
      }
      // Half of them are found by the workers themselves.
      if (n % 2 === 0) expect((await ctl("reopen")).code).toBe(0);
      // How often they come is no matter of the test's: no faster than the machine can follow.
      await sleep(100);
    }
  })();
  // Which workers the clients' connections came to is the kernel's choice: two have some.
  const writers = (): Set<string> => new Set(linesOf(fleet.folder).flatMap((line) => /"req_id":"(\w+)-/.exec(line)?.[1] ?? []));
  await until("renames, and lines of several workers", () => renamed >= 4 && writers().size >= 2, { timeoutMs: 30_000 });
  const { workers } = JSON.parse((await ctl("status", "--json")).stdout) as { workers: { pid: number }[] };
  const seen = writers();
  const victim = workers.find(({ pid }) => seen.has(pid.toString(36)));
  process.kill(victim?.pid as number, "SIGKILL");
  const before = { renamed, lines: linesOf(fleet.folder).length };
  const hasGoneOn = (): boolean => renamed >= before.renamed + 4 && linesOf(fleet.folder).length >= before.lines + 100;
  await until("more renames, and more lines", hasGoneOn, { timeoutMs: 30_000 });
  stop.abort();
  const result = await running;
  await renames;
  fleet.kill();
  await fleet.exited(20_000);
  const ids = idsOf(linesOf(fleet.folder));
  expect(new Set(ids).size).toBe(ids.length);
  // Requests of the killed worker were cut, and its last second of lines is gone with it; all others are there.
  const ofVictim = ids.filter((id) => id.startsWith(`${victim?.pid.toString(36)}-`)).length;
  const others = ids.length - ofVictim;
  expect(ids.length).toBeGreaterThan(result.ok * 0.8);
  expect(others).toBeLessThanOrEqual(result.ok + lost(result));
  for (const pid of new Set(ids.map((id) => id.split("-")[0]))) {
    if (pid === victim?.pid.toString(36)) continue;
    const numbers = ids.filter((id) => id.startsWith(`${pid}-`)).map((id) => Number.parseInt(id.split("-")[1] ?? "", 36));
    // Numbers are given in turn: one that is missing is a request that has no line.
    expect(Math.max(...numbers)).toBe(numbers.length);
  }
});

describe("tsserve ctl reopen", () => {
  for (const workers of [0, 2]) {
    test(`${workers === 0 ? "a single process" : "a master with workers"}: the file of that name is the one that is written from then on`, async () => {
      await using server = serve({
        app: "plain.js",
        server: { access_log: "./access.log", control_socket: "./ctl.sock" },
        args: workers === 0 ? [] : ["--workers", String(workers)],
      });
      const base = await server.listening();
      await fetch(`${base}/first`);
      const path = join(server.folder, "access.log");
      // By the order rather than by itself, which may come first, but not each time: a single process has done it when it answers.
      for (let n = 0; n < (workers === 0 ? 4 : 1); n++) {
        rmSync(path, { force: true });
        const answer = await run({}, ["ctl", "reopen", "--socket", "ctl.sock"], { cwd: server.folder });
        expect([answer.code, answer.stderr]).toEqual([0, ""]);
        if (workers === 0) expect(existsSync(path)).toBe(true);
        else await until("the new file", () => existsSync(path));
      }
      await fetch(`${base}/second`);
      await until("the line", () => readFileSync(path, "utf8").includes("/second"));
      expect(readFileSync(path, "utf8")).not.toContain("/first");
    });
  }
});

for (const how of ["create", "copytruncate"]) {
  test.skipIf(!hasProgram("/usr/sbin/logrotate"))(`logrotate with ${how}: each request has one line, in one of the files`, async () => {
    await using server = serve({ app: "plain.js", server: { access_log: "./access.log" } });
    const base = await server.listening();
    const conf = join(server.folder, "rotate.conf");
    writeFileSync(conf, `${join(server.folder, "access.log")} {\n  su root root\n  rotate 20\n  ${how}\n  missingok\n}\n`);
    const paths: string[] = [];
    for (let n = 0; n < 3; n++) {
      for (let m = 0; m < 5; m++) {
        paths.push(`/${n}-${m}`);
        expect((await fetch(`${base}/${n}-${m}`)).status).toBe(200);
      }
      await until("the lines", () => linesOf(server.folder).length >= paths.length);
      const { status, stderr } = spawnSync("/usr/sbin/logrotate", ["-f", "-s", join(server.folder, "state"), conf], { encoding: "utf8" });
      expect([status, stderr]).toEqual([0, ""]);
    }
    await fetch(`${base}/last`);
    server.kill();
    await server.exited();
    const lines = linesOf(server.folder).map((line) => (JSON.parse(line) as { path: string }).path);
    expect(lines.sort()).toEqual([...paths, "/last"].sort());
    expect(readFileSync(join(server.folder, "access.log"), "utf8")).not.toContain("\0");
  });
}

test("a full disk costs lines, which are counted, and no request; when there is room again, they are whole", async () => {
  const folder = makeTemporaryFolder();
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder.path], { encoding: "utf8" });
  if (mounted.status !== 0) {
    console.log(`no file system can be made here (${mounted.stderr.trim()}): the test of a full disk is skipped`);
    folder.remove();
    return;
  }
  try {
    await using server = serve({ app: "plain.js", server: { access_log: join(folder.path, "access.log") } });
    const base = await server.listening();
    writeFileSync(join(folder.path, "filler"), Buffer.alloc(48_000));
    for (let n = 0; n < 400; n++) expect((await fetch(`${base}/${n}`)).status).toBe(200);
    expect(await server.log(/the access log .* can't be written: lines are lost until it can: ENOSPC/)).toMatchObject({ level: "error" });
    rmSync(join(folder.path, "filler"));
    await fetch(`${base}/after`);
    await until("a line again", () => readFileSync(join(folder.path, "access.log"), "utf8").includes("/after"));
    const lines = readFileSync(join(folder.path, "access.log"), "utf8").split("\n");
    expect(lines.findLast(Boolean)).toMatch(/^\{.*"\/after".*\}$/);
    // One may have been begun when the disk was full.
    expect(lines.filter((line) => line !== "" && !/^\{.*\}$/.test(line)).length).toBeLessThanOrEqual(1);
    const told = await server.log(/the access log .* is written again: \d+ lines are lost/);
    expect([told.level, told["lost_lines"]]).toEqual(["warn", 401 - lines.filter((line) => /^\{.*\}$/.test(line)).length]);
    server.kill();
    expect(await server.exited()).toEqual({ code: 0, signal: null });
    expect(server.logs().filter(({ msg }) => msg.startsWith("the access log")).length).toBe(2);
  } finally {
    spawnSync("umount", ["-l", folder.path]);
    folder.remove();
  }
});

test("a folder that vanishes costs lines, which is said once, and once when it is back; requests go on", async () => {
  const folder = makeTemporaryFolder();
  await using server = serve({ app: "plain.js", server: { access_log: join(folder.path, "access.log") } });
  const base = await server.listening();
  folder.remove();
  expect((await fetch(base)).status).toBe(200);
  expect(await server.log(/the access log .* can't be written: lines are lost until it can: ENOENT/)).toMatchObject({ level: "error" });
  for (let n = 0; n < 5; n++) expect((await fetch(`${base}/lost-${n}`)).status).toBe(200);
  mkdirSync(folder.path);
  expect(await server.log(/the access log .* is written again: \d+ lines? (?:is|are) lost/)).toMatchObject({ level: "warn" });
  expect((await fetch(`${base}/after`)).status).toBe(200);
  server.kill();
  expect(await server.exited()).toEqual({ code: 0, signal: null });
  expect(readFileSync(join(folder.path, "access.log"), "utf8")).toContain("/after");
  expect(server.logs().filter(({ msg }) => msg.startsWith("the access log")).length).toBe(2);
  folder.remove();
});
