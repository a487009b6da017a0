import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "@tsserve/testing";
import { bin, firstAnswer, node, path, residentMb, stop } from "./servers.ts";

export interface Start {
  /** From exec to the first answer of status 200, or to the last worker's ACK. */
  readonly ms: number;
  /** Of all threads of the process until then; of a fleet, of its master. */
  readonly cpuMs: number;
  /** Resident a second later; of a fleet, of its master. */
  readonly mb: number;
  /** Of a fleet: from the order to the ACK of the last new worker. */
  readonly upgradeMs?: number;
}

/** @param core the only one that it may run on; default: any */
/** @param lastsMs for how long the process runs before its memory is read */
export async function processStart(args: (port: number) => string[], core?: string, lastsMs = 1000): Promise<Start> {
  const port = await freePort();
  const begun = performance.now();
  const child = spawn(core === undefined ? node : "taskset", [...(core === undefined ? [] : ["-c", core, node]), ...args(port)], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ms = (await firstAnswer(port)) - begun;
  const cpuMs = cpuOf(child.pid ?? 0);
  await sleep(lastsMs);
  const mb = residentMb(child.pid ?? 0);
  await stop(child);
  return { ms, cpuMs, mb };
}

/** So many processes by hand at once, each on a port of its own: what no master can be quicker than. */
export async function startsAtOnce(args: (port: number) => string[], count: number): Promise<Start> {
  const ports: number[] = [];
  for (let n = 0; n < count; n++) ports.push(await freePort());
  const begun = performance.now();
  const children = ports.map((port) => spawn(node, args(port), { stdio: ["ignore", "ignore", "inherit"] }));
  await Promise.all(ports.map((port) => firstAnswer(port)));
  const ms = performance.now() - begun;
  const total = (of: (pid: number) => number): number => children.reduce((sum, { pid = 0 }) => sum + of(pid), 0);
  const cpuMs = total(cpuOf);
  const mb = total(residentMb);
  for (const child of children) await stop(child);
  return { ms, cpuMs, mb };
}

export async function fleetStart(workers: number): Promise<Start> {
  const port = await freePort();
  const begun = performance.now();
  const args = [bin, path("apps/hello.ini"), "--bind", `127.0.0.1:${port}`, "--workers", String(workers)];
  const child = spawn(node, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ups = countUps(child);
  await ups.reach(workers);
  const ms = performance.now() - begun;
  const cpuMs = cpuOf(child.pid ?? 0);
  await sleep(1000);
  const mb = residentMb(child.pid ?? 0);
  const ordered = performance.now();
  child.kill("SIGHUP");
  await ups.reach(2 * workers);
  const upgradeMs = performance.now() - ordered;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
  return { ms, cpuMs, mb, upgradeMs };
}

/** Counts the lines of the log that say a worker is up. */
function countUps({ stdout }: ChildProcess): { reach(count: number): Promise<void> } {
  let count = 0;
  let waits: { readonly count: number; readonly done: () => void } | undefined;
  if (stdout === null) throw new Error("no stdout");
  createInterface({ input: stdout }).on("line", (line) => {
    if (/ is up"/.test(line)) count += 1;
    if (waits !== undefined && count >= waits.count) waits.done();
  });
  return {
    reach: (wanted) =>
      new Promise((resolve) => {
        waits = { count: wanted, done: resolve };
        if (count >= wanted) resolve();
      }),
  };
}

/** Of all threads; the kernel counts in nanoseconds. */
function cpuOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, thread) => {
    try {
      return sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1e6;
    } catch {
      // It has ended meanwhile.
      return sum;
    }
  }, 0);
}
