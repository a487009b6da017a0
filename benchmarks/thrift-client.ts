// How much does a call cost the caller? Our client against Apache's npm client: the echo of 1.4 kB, framed binary, from 16
// loops on 16 connections. One server on core 0, both clients up on core 1: slices of a second in turn, the CPU time of the
// client beside its calls per second.
//
//     node --import tsx benchmarks/thrift-client.ts [ROUNDS]
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { freePort } from "@tsserve/testing";
import { bin, path, startPinned, stop } from "./servers.ts";
import { accepts } from "./thrift/accepts.ts";
import { spread } from "./thrift/spread.ts";

const rounds = Number(process.argv[2] ?? 15);
const warmUpRounds = 5;
const kinds = ["apache", "ours"] as const;
type Kind = (typeof kinds)[number];

interface Figures {
  readonly rps: number;
  readonly cpuMicros: number;
}

const port = await freePort();
const server = startPinned(0, [bin, path("thrift/loaded.ini"), "--bind", `127.0.0.1:${port}`]);
await accepts(port);
const clients: Partial<Record<Kind, ChildProcess>> = {};
for (const kind of kinds) {
  const client = fork(path("thrift/client-load.js"), [kind, String(port), "16"], {
    execPath: "taskset",
    execArgv: ["-c", "1", process.execPath],
  });
  await once(client, "message");
  clients[kind] = client;
}
const figures: Record<Kind, Figures[]> = { apache: [], ours: [] };
for (let round = -warmUpRounds; round < rounds; round++) {
  for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
    clients[kind]?.send(1);
    const [measured] = (await once(clients[kind] as ChildProcess, "message")) as [Figures];
    if (round >= 0) figures[kind].push(measured);
  }
}
for (const kind of kinds) clients[kind]?.disconnect();
await stop(server);
const of = (kind: Kind, what: keyof Figures): number[] => figures[kind].map((each) => each[what]);
for (const kind of kinds)
  console.log(`${kind.padEnd(6)} ${spread(of(kind, "rps"), 0)} calls/s, ${spread(of(kind, "cpuMicros"), 1)} us CPU of the client`);
const times = (one: readonly number[], other: readonly number[]): string =>
  spread(
    one.map((value, round) => value / (other[round] ?? Number.NaN)),
    2,
  );
console.log(
  `ours, of apache's: ${times(of("ours", "rps"), of("apache", "rps"))} times the calls/s, 1/${times(of("apache", "cpuMicros"), of("ours", "cpuMicros"))} of the CPU time`,
);
