// How long from exec to the first subscription, against a bare script of amqplib that consumes from the same queue? In turn, each first in
// every other pair; both ask the broker for the same.
// [TSSERVE_TEST_NODE=…] node --import tsx benchmarks/queue-start.ts [PAIRS]
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRabbitmq } from "../test/support/rabbitmq.ts";
import { spread } from "./pairs.ts";
import { bin, node, path, stop } from "./servers.ts";

const pairs = Number(process.argv[2] ?? 20);
const queue = "start";

await using broker = await startRabbitmq();
const model = await broker.connect();
const channel = await model.createConfirmChannel();
await channel.assertQueue(queue, { durable: true });
const folder = mkdtempSync(join(tmpdir(), "tsserve-benchmark-"));
const ini = join(folder, "app.ini");
const lines = ["[server:main]", "factory = tsserve/queue", `amqp.port = ${broker.port}`, "metrics.endpoint = 127.0.0.1:0", "[app:main]"];
writeFileSync(
  ini,
  [...lines, `factory = ${path("apps/counting-consumer.mjs")}`, "messages = 1", "warm_up = 0", `queue = ${queue}`, ""].join("\n"),
);

/** Both say `DONE` when their first message is handled, which waits for them. */
const kinds = {
  bare: [path("apps/bare-consumer.mjs"), String(broker.port), "10", "1", "0", queue],
  tsserve: [bin, ini, "--bind", "127.0.0.1:0"],
} as const;

async function measure(args: readonly string[], lastsMs = 0): Promise<number> {
  // The last one was killed: until the broker has seen that, it would hand it the message, and then flag it as redelivered.
  while ((await channel.checkQueue(queue)).consumerCount > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  channel.sendToQueue(queue, Buffer.from("{}"), { persistent: true });
  await channel.waitForConfirms();
  const begun = performance.now();
  const child = spawn(node, args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  await new Promise<void>((resolve) => {
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes("DONE")) resolve();
    });
  });
  const ms = performance.now() - begun;
  // The acknowledgement leaves with the turn of the event loop.
  await new Promise((resolve) => setTimeout(resolve, lastsMs + 100));
  await stop(child);
  return ms;
}

// What V8 compiles, tsserve keeps from the first start on, once that has gone on for a moment.
await measure(kinds.tsserve, 5000);
await measure(kinds.bare);
const measured: { bare: number; tsserve: number }[] = [];
for (let pair = 0; pair < pairs; pair += 1) {
  if (pair % 2 === 0) {
    const bare = await measure(kinds.bare);
    measured.push({ bare, tsserve: await measure(kinds.tsserve) });
  } else {
    const tsserve = await measure(kinds.tsserve);
    measured.push({ bare: await measure(kinds.bare), tsserve });
  }
}
for (const kind of ["bare", "tsserve"] as const) console.log(`${kind}: ${spread(measured.map((pair) => pair[kind]))} ms`);
console.log(`tsserve / bare: ${spread(measured.map(({ bare, tsserve }) => tsserve / bare))}`);
await model.close();
rmSync(folder, { recursive: true });
