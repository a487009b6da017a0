// How many requests per second does tsserve cost, against the same Fastify app started by hand?
// Needs wrk and taskset (Debian: apt-get install wrk). Server on core 0, load on core 1, in turn.
import { spawnSync } from "node:child_process";
import { bin, cpuSeconds, firstAnswer, freePort, median, path, startPinned, stop } from "./servers.ts";

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

const servers = {
  "by hand": (port: number): string[] => [path("apps/hello-by-hand.js"), String(port)],
  "by hand, with a logger": (port: number): string[] => [path("apps/hello-by-hand.js"), String(port), "logger"],
  tsserve: (port: number): string[] => [bin, path("apps/hello.ini"), "--bind", `127.0.0.1:${port}`],
};
type Name = keyof typeof servers;
const names = Object.keys(servers) as Name[];

const figures: Record<Name, Figures>[] = [];
for (let round = 0; round < rounds; round++) {
  // Each goes first in turn: what the machine does in between falls on all.
  const order = names.map((_, index) => names[(index + round) % names.length] as Name);
  const measured: [Name, Figures][] = [];
  for (const name of order) measured.push([name, await measure(servers[name])]);
  figures.push(Object.fromEntries(measured) as Record<Name, Figures>);
  console.log(`round ${round + 1}: ${names.map((name) => `${name} ${Math.round(figures[round]?.[name].rps ?? 0)}`).join(", ")} req/s`);
}
for (const name of names.slice(0, 2)) {
  const ratio = median(figures.map((each) => each.tsserve.rps / each[name].rps));
  const cpu = median(figures.map((each) => each.tsserve.cpuMicros / each[name].cpuMicros));
  const best = Math.max(...figures.map(({ tsserve }) => tsserve.rps)) / Math.max(...figures.map((each) => each[name].rps));
  console.log(
    `tsserve / ${name}: requests per second, median of rounds ${ratio.toFixed(3)}, best slices ${best.toFixed(3)}; CPU per request ${cpu.toFixed(3)}`,
  );
}
