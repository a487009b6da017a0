// What does a request cost under tsserve, against the same Fastify app started by hand?
// Needs wrk and taskset (Debian: apt-get install wrk). Servers on core 0, load on core 1, both up, in slices of a second in turn.
// node --import tsx benchmarks/http-hello.ts [--pairs 25] [--node PATH] [KIND ...]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { freePort, makeTemporaryFolder } from "@tsserve/testing";
import { measurePairs, spread, type Running } from "./pairs.ts";
import { bin, firstAnswer, median, node as thisNode, path, stop } from "./servers.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pairs: { type: "string", default: "25" },
    seconds: { type: "string", default: "1" },
    node: { type: "string", default: thisNode },
  },
});

/** Where spans go: takes them and forgets them. */
const collector = createServer((request, response) => {
  request.resume();
  request.on("end", () => response.end());
});
await once(collector.listen(0, "127.0.0.1"), "listening");
collector.unref();

const folder = makeTemporaryFolder({});
const common = "access_log = false";
const quiet = "metrics.enabled = false";
const everything = [
  "metrics.endpoint = 127.0.0.1:0",
  `access_log = ${folder.path}/access.log`,
  `tracing.endpoint = http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
  "tracing.sample = 1%",
  "max_keepalive_requests = 1000000",
  "max_keepalive_time = 1 hour",
  "real_ip_from = loopback",
].join("\n");

/** The access log goes to the file alone. */
const noLinesOnStdout = "\n[logging]\nlevels.tsserve.access = warn";

/** Settings and the factory under tsserve, and how the app is started by hand. */
const kinds = {
  plain: { server: `${common}\n${quiet}`, factory: "makeQuietApp", byHand: [] },
  metrics: { server: `${common}\nmetrics.endpoint = 127.0.0.1:0`, factory: "makeQuietApp", byHand: [] },
  logger: { server: `${common}\n${quiet}`, factory: "makeApp", byHand: ["logger"] },
  everything: { server: everything + noLinesOnStdout, factory: "makeQuietApp", byHand: [] },
  "everything-and-stdout": { server: everything, factory: "makeQuietApp", byHand: [] },
} as const;
type Kind = keyof typeof kinds;
const asked = (positionals.length > 0 ? positionals : Object.keys(kinds)) as Kind[];

async function startOne(args: (port: number) => readonly string[]): Promise<Running> {
  const port = await freePort();
  // Where lines go to stdout, they are made and written, though nobody reads them.
  const child = spawn("taskset", ["-c", "0", values.node, ...args(port)], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, NODE_ENV: "production" },
  });
  await firstAnswer(port);
  return { child, port };
}

for (const kind of asked) {
  const { server, factory, byHand } = kinds[kind];
  const ini = folder.write(
    `${kind}.ini`,
    `[server:main]\nfactory = tsserve/http\n${server}\n[app:main]\nfactory = ${path("apps/hello.js")}:${factory}\n`,
  );
  const hand = await startOne((port) => [path("apps/hello-by-hand.js"), String(port), ...byHand]);
  const ours = await startOne((port) => [bin, ini, "--bind", `127.0.0.1:${port}`]);
  const measured = await measurePairs(hand, ours, Number(values.pairs), Number(values.seconds));
  for (const { child } of [hand, ours]) await stop(child);
  const rps = spread(measured.map(([one, other]) => other.rps / one.rps));
  const cpu = spread(measured.map(([one, other]) => one.cpuMicros / other.cpuMicros));
  const micros = [0, 1].map((side) => median(measured.map((pair) => pair[side as 0 | 1].cpuMicros)).toFixed(2));
  console.log(
    `${kind}: requests per second ${rps}, by CPU time ${cpu}; ${micros[0]} µs by hand, ${micros[1]} µs under tsserve (${measured.length} pairs)`,
  );
}
folder.remove();
