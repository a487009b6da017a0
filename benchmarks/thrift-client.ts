// How much does a call cost the caller? Our client against Apache's npm client: the echo of 1.4 kB, framed binary, from 16
// loops on 16 connections. Server on core 0, client on core 1, in turn.
//
//     node --import tsx benchmarks/thrift-client.ts [ROUNDS]
import { fork } from "node:child_process";
import { once } from "node:events";
import { freePort } from "@tsserve/testing";
import { bin, median, path, startPinned, stop } from "./servers.ts";
import { accepts } from "./thrift/accepts.ts";

const rounds = Number(process.argv[2] ?? 5);
const kinds = ["apache", "ours"] as const;

interface Figures {
  readonly rps: number;
  readonly cpuMicros: number;
}

const figures = { apache: [] as Figures[], ours: [] as Figures[] };
for (let round = 0; round < rounds; round++) {
  for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
    const port = await freePort();
    const server = startPinned(0, [bin, path("thrift/loaded.ini"), "--bind", `127.0.0.1:${port}`]);
    await accepts(port);
    const load = fork(path("thrift/client-load.js"), [kind, String(port), "16", "2"], {
      execPath: "taskset",
      execArgv: ["-c", "1", process.execPath],
    });
    const [measured] = (await once(load, "message")) as [Figures];
    figures[kind].push(measured);
    await stop(server);
  }
}
for (const kind of kinds) {
  const of = (name: keyof Figures): number => median(figures[kind].map((each) => each[name]));
  console.log(`${kind.padEnd(6)} ${Math.round(of("rps"))} calls/s  ${of("cpuMicros").toFixed(1)} us CPU of the client`);
}
