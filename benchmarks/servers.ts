import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { freePort } from "@tsserve/testing";

export const node = process.env["TSSERVE_TEST_NODE"] ?? process.execPath;
export const bin = fileURLToPath(new URL("../packages/tsserve/bin/tsserve.js", import.meta.url));

export const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** The same hello world app: by hand, by hand with a logger that logs no requests, and under tsserve. */
export const helloServers = {
  "by hand": (port: number): string[] => [path("apps/hello-by-hand.js"), String(port)],
  "by hand, with a logger": (port: number): string[] => [path("apps/hello-by-hand.js"), String(port), "logger"],
  tsserve: (port: number): string[] => [bin, path("apps/hello.ini"), "--bind", `127.0.0.1:${port}`],
};
export type HelloServer = keyof typeof helloServers;
export const helloNames = Object.keys(helloServers) as HelloServer[];

/** Starts a server on one core; silent, but for its errors. */
export function startPinned(core: number, args: readonly string[]): ChildProcess {
  return spawn("taskset", ["-c", String(core), node, ...args], { stdio: ["ignore", "ignore", "inherit"] });
}

export interface PinnedFigures {
  readonly rps: number;
  readonly cpuMicros: number;
}

/** Requests per second of a server on core 0, under wrk on core 1 for two seconds, when it is warm. */
export async function measurePinned(args: (port: number) => string[]): Promise<PinnedFigures> {
  const port = await freePort();
  const server = startPinned(0, args(port));
  await firstAnswer(port);
  wrk(port, 1);
  const before = cpuSeconds(server.pid as number);
  const { requests, rps } = wrk(port, 2);
  const cpuMicros = ((cpuSeconds(server.pid as number) - before) * 1e6) / requests;
  await stop(server);
  return { rps, cpuMicros };
}

function wrk(port: number, seconds: number): { requests: number; rps: number } {
  const { stdout } = spawnSync("taskset", ["-c", "1", "wrk", "-t1", "-c32", `-d${seconds}s`, `http://127.0.0.1:${port}/`], {
    encoding: "utf8",
  });
  return { requests: Number(/(\d+) requests in/.exec(stdout)?.[1]), rps: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]) };
}

export async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

/** Asks until there is an answer of status 200; gives when it came, on the clock of `performance.now`. */
export async function firstAnswer(port: number, target = "/"): Promise<number> {
  const end = performance.now() + 20_000;
  while (performance.now() < end) {
    if (await answers(port, target)) return performance.now();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error(`no answer on port ${port}`);
}

function answers(port: number, target: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`));
    socket.once("data", (chunk) => {
      socket.destroy();
      resolve(chunk.toString("latin1", 0, 12) === "HTTP/1.1 200");
    });
    socket.once("error", () => resolve(false));
  });
}

/** Resident memory, in MB. */
export function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

/** CPU seconds that a process has used. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** CPU time of all threads of a process, in microseconds, finer than the ticks of `/proc/PID/stat`. */
export function cpuMicrosOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  return (
    threads.reduce((sum, thread) => sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]), 0) / 1000
  );
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? Number.NaN) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
