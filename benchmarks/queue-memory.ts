// Does a consumer's memory stay flat? A million messages through one worker; its resident memory after each tenth.
// node --import tsx benchmarks/queue-memory.ts [MESSAGES] [PREFETCH]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { startRabbitmq } from "../test/support/rabbitmq.ts";
import { bin, node, path, residentMb } from "./servers.ts";

const messages = Number(process.argv[2] ?? 1_000_000);
const prefetch = Number(process.argv[3] ?? 100);
const queue = "throughput";
const body = Buffer.from(JSON.stringify({ text: "x".repeat(180) }));

await using broker = await startRabbitmq();
const folder = mkdtempSync(join(tmpdir(), "tsserve-benchmark-"));
const ini = join(folder, "app.ini");
writeFileSync(
  ini,
  [
    "[server:main]",
    "factory = tsserve/queue",
    `amqp.port = ${broker.port}`,
    `max_concurrency = ${prefetch / 2}`,
    "metrics.endpoint = 127.0.0.1:0",
    "[app:main]",
    `factory = ${path("apps/counting-consumer.mjs")}`,
    `messages = ${messages}`,
    "warm_up = 1",
    `queue = ${queue}`,
    "",
  ].join("\n"),
);
const child = spawn(node, [bin, ini, "--bind", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "pipe"] });
let [output, warnings] = ["", ""];
child.stdout.on("data", (chunk: Buffer) => (output = (output + chunk.toString()).slice(-10_000)));
child.stderr.on("data", (chunk: Buffer) => (warnings += chunk.toString()));

const model = await broker.connect();
const channel = await model.createConfirmChannel();
await channel.assertQueue(queue, { durable: true });
const part = messages / 10;
const megabytes: number[] = [];
for (let sent = 0; sent < messages;) {
  for (const end = sent + part; sent < end; sent += 1) {
    const headers = { traceparent: `00-${String(sent).padStart(32, "0")}-b7ad6b7169203331-01` };
    const options = { persistent: true, messageId: String(sent), timestamp: Math.floor(Date.now() / 1000), headers };
    if (!channel.sendToQueue(queue, body, options)) await once(channel, "drain");
    if (sent % 5000 === 0) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
  while ((await channel.checkQueue(queue)).messageCount > 0) await new Promise((resolve) => setTimeout(resolve, 200));
  megabytes.push(residentMb(child.pid as number));
  console.log(`${sent} messages: ${megabytes.at(-1)?.toFixed(1)} MB`);
}
while (!output.includes("DONE ")) await new Promise((resolve) => setTimeout(resolve, 100));
const [first = 0] = megabytes;
const steady = megabytes.slice(1);
console.log(`after the first tenth: ${(Math.min(...steady) / first).toFixed(2)} to ${(Math.max(...steady) / first).toFixed(2)} of it`);
console.log(warnings === "" ? "no warnings" : warnings);
child.kill();
await once(child, "exit");
await model.close();
rmSync(folder, { recursive: true });
