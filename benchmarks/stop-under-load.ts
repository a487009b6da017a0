// Does a stop lose requests? A hundred stops in a row, each with a second instance that takes over the same
// listening socket, under clients that keep their connections and clients that open one for each request.
import { bindDescriptor, load, lost, spawnTsserve, workerEnvironment, type LoadResult, type TsserveProcess } from "@tsserve/testing";
import { path } from "./servers.ts";

const stops = Number(process.argv[2] ?? 100);
const clients = Number(process.argv[3] ?? 64);

using bound = bindDescriptor();
const end = new AbortController();

async function start(): Promise<TsserveProcess> {
  const server = spawnTsserve({ args: [path("apps/stop-under-load.ini")], descriptors: [bound.fd], env: workerEnvironment() });
  await server.listening();
  return server;
}

let serving = await start();
const options = { port: bound.port, clients, expect: '{"hello":"world"}', signal: end.signal };
const running = { "keep-alive": load({ ...options, keepAlive: true }), "a connection per request": load({ ...options, keepAlive: false }) };
const begun = performance.now();
let exitCodesNotZero = 0;
for (let stop = 1; stop <= stops; stop++) {
  const old = serving;
  serving = await start();
  old.kill();
  if ((await old.exited(60_000)).code !== 0) exitCodesNotZero += 1;
  if (stop % 10 === 0) console.log(`${stop} stops, ${Math.round((performance.now() - begun) / 1000)} s`);
}
end.abort();
let allLost = exitCodesNotZero;
for (const [name, result] of Object.entries(running)) {
  const counted: LoadResult = await result;
  allLost += lost(counted);
  console.log(`${name}, ${clients} clients: ${JSON.stringify(counted)}`);
}
await serving[Symbol.asyncDispose]();
console.log(`${stops} stops on Node ${process.version}: ${allLost} lost; exit codes that were not 0: ${exitCodesNotZero}`);
process.exitCode = allLost === 0 ? 0 : 1;
