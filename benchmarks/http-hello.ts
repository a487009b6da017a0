// How many requests per second does tsserve cost, against the same Fastify app started by hand?
// Needs wrk and taskset (Debian: apt-get install wrk). Server on core 0, load on core 1, in turn.
import { spawnSync } from "node:child_process";
import { cpuSeconds, firstAnswer, helloNames, type HelloServer, helloServers, median, startPinned, stop } from "./servers.ts";
import { freePort } from "@tsserve/testing";

const rounds = Number(process.argv[2] ?? 15);
const seconds = 2;

interface Figures {
  readonly rps: number;
  readonly cpuMicros: number;
}

async function measure(args: (port: number) => string[]): Promise<Figures> {
  const port = await freePort();
  const server = startPinned(0, args(port));
  await firstAnswer(port);
  wrk(port, 1);
  const before = cpuSeconds(server.pid as number);
  const { requests, rps } = wrk(port, seconds);
  const cpuMicros = ((cpuSeconds(server.pid as number) - before) * 1e6) / requests;
  await stop(server);
  return { rps, cpuMicros };
}

function wrk(port: number, duration: number): { requests: number; rps: number } {
  const { stdout } = spawnSync("taskset", ["-c", "1", "wrk", "-t1", "-c32", `-d${duration}s`, `http://127.0.0.1:${port}/`], {
    encoding: "utf8",
  });
  return { requests: Number(/(\d+) requests in/.exec(stdout)?.[1]), rps: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]) };
}

const figures: Record<HelloServer, Figures>[] = [];
for (let round = 0; round < rounds; round++) {
  // Each goes first in turn: what the machine does in between falls on all.
  const order = helloNames.map((_, index) => helloNames[(index + round) % helloNames.length] as HelloServer);
  const measured: [HelloServer, Figures][] = [];
  for (const name of order) measured.push([name, await measure(helloServers[name])]);
  figures.push(Object.fromEntries(measured) as Record<HelloServer, Figures>);
  console.log(`round ${round + 1}: ${helloNames.map((name) => `${name} ${Math.round(figures[round]?.[name].rps ?? 0)}`).join(", ")} req/s`);
}
for (const name of helloNames.slice(0, 2)) {
  const ratio = median(figures.map((each) => each.tsserve.rps / each[name].rps));
  const cpu = median(figures.map((each) => each.tsserve.cpuMicros / each[name].cpuMicros));
  const best = Math.max(...figures.map(({ tsserve }) => tsserve.rps)) / Math.max(...figures.map((each) => each[name].rps));
  console.log(
    `tsserve / ${name}: requests per second, median of rounds ${ratio.toFixed(3)}, best slices ${best.toFixed(3)}; CPU per request ${cpu.toFixed(3)}`,
  );
}
