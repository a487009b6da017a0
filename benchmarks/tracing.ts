// What do traces cost per request: without an endpoint, with one and 1 % or all of requests recorded, and where the app asks for them?
// Needs wrk and taskset (Debian: apt-get install wrk). All servers on core 0, load on core 1, in slices of a second in turn.
// node --import tsx benchmarks/tracing.ts [ROUNDS] [--node PATH]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { freePort, makeTemporaryFolder } from "@tsserve/testing";
import { measureSlice, spread, warm, type Running } from "./pairs.ts";
import { bin, firstAnswer, median, node as thisNode, path, stop } from "./servers.ts";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { node: { type: "string", default: thisNode } } });
const rounds = Number(positionals[0] ?? 7);

/** Where spans go: takes them and forgets them. */
const collector = createServer((request, response) => {
  request.resume();
  request.on("end", () => response.end());
});
await once(collector.listen(0, "127.0.0.1"), "listening");
collector.unref();
const endpoint = `tracing.endpoint = http://127.0.0.1:${(collector.address() as AddressInfo).port}`;

/** The settings, and which app. The wanted ratio is of CPU time a request to that of the first. */
const kinds = {
  "no endpoint": { server: "", factory: "makeQuietApp" },
  "no endpoint, once more": { server: "", factory: "makeQuietApp" },
  "1 %": { server: `${endpoint}\ntracing.sample = 1%`, factory: "makeQuietApp" },
  "100 %": { server: `${endpoint}\ntracing.sample = 100%`, factory: "makeQuietApp" },
  "1 %, where the app asks for its spans": { server: `${endpoint}\ntracing.sample = 1%`, factory: "makeAskingApp" },
} as const;

const folder = makeTemporaryFolder({});
const running: (Running & { readonly name: string; readonly micros: number[] })[] = [];
try {
  for (const [name, { server, factory }] of Object.entries(kinds)) {
    const port = await freePort();
    const ini = folder.write(
      `${running.length}.ini`,
      `[server:main]\nfactory = tsserve/http\naccess_log = false\nmetrics.enabled = false\n${server}\n[app:main]\nfactory = ${path("apps/hello.js")}:${factory}\n`,
    );
    const child = spawn("taskset", ["-c", "0", values.node, bin, ini, "--bind", `127.0.0.1:${port}`], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, NODE_ENV: "production" },
    });
    running.push({ child, port, name, micros: [] });
    await firstAnswer(port);
  }
  for (const each of running) await warm(each);
  for (let round = 0; round < rounds; round++)
    for (const each of round % 2 === 0 ? running : running.toReversed()) each.micros.push((await measureSlice(each, 1)).cpuMicros);
  const [off] = running;
  for (const { name, micros } of running) {
    const ratios = micros.map((each, round) => each / (off?.micros[round] ?? Number.NaN));
    console.log(`${name}: ${median(micros).toFixed(2)} µs of CPU a request, ${spread(ratios)} of none`);
  }
} finally {
  for (const { child } of running) await stop(child);
  folder.remove();
}
