// How long do answers take at half of what Apache's own server can do? The same rate for both, in turn.
// node --import tsx benchmarks/thrift-latency.ts [ROUNDS]
import { fork } from "node:child_process";
import { once } from "node:events";
import { freePort } from "@tsserve/testing";
import { bin, median, path, startPinned, stop } from "./servers.ts";
import { accepts } from "./thrift/accepts.ts";
import { echoRequest } from "./thrift/echo-request.ts";

const rounds = Number(process.argv[2] ?? 5);
const servers = {
  apache: (port: number) => [path("thrift/servers.js"), "apache framed binary", String(port)],
  generated: (port: number) => [bin, path("thrift/generated.ini"), "--bind", `127.0.0.1:${port}`],
  loaded: (port: number) => [bin, path("thrift/loaded.ini"), "--bind", `127.0.0.1:${port}`],
};
type Name = keyof typeof servers;
const names = Object.keys(servers) as Name[];

interface Result {
  readonly rps: number;
  readonly p50: number;
  readonly p99: number;
}

async function measure(name: Name, rate: number | undefined): Promise<Result> {
  const port = await freePort();
  const server = startPinned(0, servers[name](port));
  await accepts(port);
  // Warm: a server that has just started is no question.
  if (rate !== undefined) await load(port, undefined, 2);
  const result = await load(port, rate, 4);
  await stop(server);
  return result;
}

async function load(port: number, rate: number | undefined, seconds: number): Promise<Result> {
  const args = [
    String(port),
    "16",
    "1",
    String(seconds),
    echoRequest("framed binary").toString("hex"),
    ...(rate === undefined ? [] : [String(rate)]),
  ];
  const child = fork(path("thrift/load.js"), args, { execPath: "taskset", execArgv: ["-c", "1", process.execPath] });
  await once(child, "message");
  const [result] = (await once(child, "message")) as [Result];
  return result;
}

const { rps } = await measure("apache", undefined);
const rate = Math.round(rps / 2);
const results = new Map<Name, Result[]>(names.map((name) => [name, []]));
for (let round = 0; round < rounds; round++) for (const name of names) results.get(name)?.push(await measure(name, rate));
console.log(`${rate} requests per second, half of what Apache's server can do`);
for (const name of names) {
  const all = results.get(name) ?? [];
  console.log(
    `${name.padEnd(10)} p50 ${median(all.map(({ p50 }) => p50)).toFixed(2)} ms, p99 ${median(all.map(({ p99 }) => p99)).toFixed(2)} ms`,
  );
}
