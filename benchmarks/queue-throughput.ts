// How many messages a second does a consumer get through, beside a bare loop of amqplib with an async handler? In turn, the same run.
// node --import tsx benchmarks/queue-throughput.ts [ROUNDS] [MESSAGES] [PREFETCHES]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import type { ChannelModel } from "amqplib";
import { startRabbitmq } from "../test/support/rabbitmq.ts";
import { bin, median, path } from "./servers.ts";

const rounds = Number(process.argv[2] ?? 3);
const messages = Number(process.argv[3] ?? 30_000);
const queue = "throughput";
const body = Buffer.from(JSON.stringify({ text: "x".repeat(180) }));

await using broker = await startRabbitmq();
const model = await broker.connect();
const folder = mkdtempSync(join(tmpdir(), "tsserve-benchmark-"));

/** Consumers say how long they took from the first message to the last one: `DONE milliseconds`. */
const kinds: Readonly<Record<string, (prefetch: number) => readonly string[]>> = {
  bare: (prefetch) => [path("apps/bare-consumer.mjs"), String(broker.port), String(prefetch), String(messages)],
  tsserve: (prefetch) => {
    const ini = join(folder, `${prefetch}.ini`);
    writeFileSync(
      ini,
      [
        "[server:main]",
        "factory = tsserve/queue",
        `amqp.port = ${broker.port}`,
        `max_concurrency = ${prefetch / 2}`,
        `amqp.qos.queue_prefetch_count = ${prefetch}`,
        "metrics.endpoint = 127.0.0.1:0",
        "[app:main]",
        `factory = ${path("apps/counting-consumer.mjs")}`,
        `messages = ${messages}`,
        "",
      ].join("\n"),
    );
    return [bin, ini, "--bind", "127.0.0.1:0"];
  },
};

async function fill(filled: ChannelModel): Promise<void> {
  const channel = await filled.createConfirmChannel();
  await channel.assertQueue(queue, { durable: true });
  for (let n = 0; n < messages; n += 1) {
    const headers = { traceparent: `00-${String(n).padStart(32, "0")}-b7ad6b7169203331-01` };
    if (!channel.sendToQueue(queue, body, { persistent: true, messageId: String(n), headers })) await once(channel, "drain");
  }
  await channel.waitForConfirms();
  await channel.close();
}

async function measure(args: readonly string[]): Promise<number> {
  await fill(model);
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  const ms = await new Promise<number>((resolve) => {
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const [, found] = /DONE ([\d.]+)/.exec(output) ?? [];
      if (found !== undefined) resolve(Number(found));
    });
  });
  child.kill();
  await once(child, "exit");
  return (messages / ms) * 1000;
}

for (const prefetch of (process.argv[4] ?? "500,20").split(",").map(Number)) {
  const rates: Record<string, number[]> = { bare: [], tsserve: [] };
  for (let round = 0; round < rounds; round += 1)
    for (const [kind, args] of Object.entries(kinds)) rates[kind]?.push(await measure(args(prefetch)));
  const [bare, ours] = [median(rates["bare"] ?? []), median(rates["tsserve"] ?? [])];
  console.log(`prefetch ${prefetch}: bare ${Math.round(bare)} messages/s, tsserve ${Math.round(ours)}, ratio ${(ours / bare).toFixed(2)}`);
}
await model.close();
rmSync(folder, { recursive: true });
