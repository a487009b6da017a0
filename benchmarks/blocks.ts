// Is each block of the event loop seen? Blocks of 150 ms at a threshold of 100 ms, one after the other, each to be observed
// once and its stack to be logged.
// node --import tsx benchmarks/blocks.ts [BLOCKS]
import { freePort, makeTemporaryFolder, spawnTsserve } from "@tsserve/testing";
import { path } from "./servers.ts";

const blocks = Number(process.argv[2] ?? 1000);
const metrics = await freePort();
const folder = makeTemporaryFolder({
  "app.ini": `[server:main]\nfactory = tsserve/http\naccess_log = false\nmetrics.endpoint = 127.0.0.1:${metrics}\nmonitoring.blocked_hub = 100 milliseconds\n[app:main]\nfactory = ${path("../test/fixtures/apps/blocks.js")}\n`,
});
await using server = spawnTsserve({ args: ["app.ini", "--bind", "127.0.0.1:0"], cwd: folder.path });
const url = await server.listening();
await new Promise((resolve) => setTimeout(resolve, 1500));
for (let n = 0; n < blocks; n++) await fetch(`${url}/block?ms=150`);
await new Promise((resolve) => setTimeout(resolve, 500));
const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
const observed = /runtime_hub_blocked_seconds_count\{.*\} (\d+)/.exec(text)?.[1] ?? "0";
const stacks = server.logs().filter(({ msg, stack }) => msg.endsWith("this is where") && String(stack).includes("standStill")).length;
const requests = server.logs().filter((line) => line.msg.endsWith("this is where") && line["requests"] !== undefined).length;
console.log(`${blocks} blocks of 150 ms: ${observed} observed, ${stacks} stacks, ${requests} with the requests in progress`);
folder.remove();
