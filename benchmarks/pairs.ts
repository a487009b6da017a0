// Two servers that are both up are asked in turn, for slices of about a second: what the machine does meanwhile falls on both.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { median } from "./servers.ts";

export interface Slice {
  readonly rps: number;
  /** CPU time of all threads of the server's process for a request, in microseconds: what a busy machine leaves comparable. */
  readonly cpuMicros: number;
}

export interface Running {
  readonly child: ChildProcess;
  readonly port: number;
}

/** One slice under wrk on core 1, which keeps 64 connections. */
export async function measureSlice({ child, port }: Running, seconds: number): Promise<Slice> {
  const pid = child.pid as number;
  const before = cpuMicrosOf(pid);
  const { requests, rps } = await load(port, seconds);
  return { rps, cpuMicros: (cpuMicrosOf(pid) - before) / requests };
}

async function load(port: number, seconds: number): Promise<{ requests: number; rps: number }> {
  const wrk = spawn("taskset", ["-c", "1", "wrk", "-t1", "-c64", `-d${seconds}s`, `http://127.0.0.1:${port}/`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let told = "";
  wrk.stdout.on("data", (chunk) => (told += chunk));
  await once(wrk, "close");
  const requests = Number(/(\d+) requests in/.exec(told)?.[1]);
  if (!(requests > 0) || /Non-2xx|Socket errors/.test(told)) throw new Error(`wrk met errors:\n${told}`);
  return { requests, rps: Number(/Requests\/sec:\s+([\d.]+)/.exec(told)?.[1]) };
}

/** As the scheduler counts it, in nanoseconds, for each thread. */
export function cpuMicrosOf(pid: number): number {
  let nanos = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanos += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
    } catch {
      // The thread has ended meanwhile.
    }
  }
  return nanos / 1000;
}

/** After so many requests V8 has compiled what there is to compile, on a busy machine, too. */
const warmRequests = 60_000;

/** Asks a server until it is warm. */
export async function warm({ port }: Running, seconds = 1): Promise<void> {
  for (let requests = 0; requests < warmRequests;) requests += (await load(port, seconds)).requests;
}

/** Slices of both in turn, each first in every other pair; when both are warm. */
export async function measurePairs(one: Running, other: Running, pairs: number, seconds: number): Promise<(readonly [Slice, Slice])[]> {
  for (const each of [one, other]) await warm(each, seconds);
  const measured: (readonly [Slice, Slice])[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    if (pair % 2 === 0) {
      const first = await measureSlice(one, seconds);
      measured.push([first, await measureSlice(other, seconds)]);
    } else {
      const first = await measureSlice(other, seconds);
      measured.push([await measureSlice(one, seconds), first]);
    }
  }
  return measured;
}

/** The median, and between which values the middle half lies. */
export function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN).toFixed(3);
  return `${median(values).toFixed(3)} (${at(0.25)} to ${at(0.75)})`;
}
