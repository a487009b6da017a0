// What do upgrades cost clients that can't be told to leave? Upgrades in a row, each with a second instance that takes
// over the same listening socket, under framed and unframed clients that pause for so long between their calls. Servers on
// core 0, clients in a process on core 1.
//
//     node --import tsx benchmarks/thrift-upgrades.ts [UPGRADES] [CONNECTIONS] [PAUSE_MS …]
import { fork } from "node:child_process";
import { once } from "node:events";
import { bindDescriptor, spawnTsserve, workerEnvironment, type TsserveProcess } from "@tsserve/testing";
import { path } from "./servers.ts";
import type { Count } from "./thrift/upgrade-clients.ts";

const [upgrades = 50, connections = 8, ...pauses] = process.argv.slice(2).map(Number);

for (const pauseMs of pauses.length > 0 ? pauses : [0, 5, 20]) {
  using bound = bindDescriptor();
  const start = async (): Promise<TsserveProcess> => {
    const server = spawnTsserve({ args: [path("thrift/upgrades.ini")], descriptors: [bound.fd], env: workerEnvironment() });
    await server.listening();
    return server;
  };
  let serving = await start();
  const clients = fork(path("thrift/upgrade-clients.ts"), [bound.port, pauseMs, connections].map(String), {
    execPath: "taskset",
    execArgv: ["-c", "1", process.execPath, "--import", "tsx"],
  });
  let stopMs = 0;
  for (let upgrade = 0; upgrade < upgrades; upgrade++) {
    const old = serving;
    serving = await start();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const begun = performance.now();
    old.kill();
    const { code } = await old.exited(60_000);
    stopMs = Math.max(stopMs, performance.now() - begun);
    if (code !== 0) console.log(`a stop ended with ${code}`);
  }
  clients.send("over");
  const [counts] = (await once(clients, "message")) as [Record<string, Count>];
  await serving[Symbol.asyncDispose]();
  console.log(
    `\n${upgrades} upgrades, ${connections} connections of each kind, ${pauseMs} ms between calls; the longest stop took ${Math.round(stopMs)} ms`,
  );
  for (const [name, { answered, lost }] of Object.entries(counts)) {
    const paused = pauseMs === 0 || lost.length === 0 ? "" : `, after pauses of ${lost.map((ms) => ms.toFixed(1)).join(" ")} ms`;
    console.log(`  ${name}: ${answered} calls answered, ${lost.length} lost${paused}`);
  }
}
