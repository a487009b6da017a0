// How many messages a second does a consumer get through, beside a bare loop of amqplib with an async handler, and what CPU time does
// each cost? In turn, the same run; messages that warm it up do not count. Metrics are on; once without spans, once with an exporter that
// gets one in a hundred. Every message carries a traceparent, one in a hundred of them is to be recorded.
// [TSSERVE_TEST_NODE=…] node --import tsx benchmarks/queue-throughput.ts [ROUNDS] [MESSAGES] [PREFETCHES] [QUEUE TYPES]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { collect } from "../test/support/collector.ts";
import { startRabbitmq } from "../test/support/rabbitmq.ts";
import { bin, median, node, path } from "./servers.ts";

const rounds = Number(process.argv[2] ?? 4);
const messages = Number(process.argv[3] ?? 16_000);
const prefetches = (process.argv[4] ?? "500,20").split(",").map(Number);
const types = (process.argv[5] ?? "classic,quorum").split(",");
const warmUp = Math.round(messages / 4);
const body = Buffer.from(JSON.stringify({ text: "x".repeat(180) }));
const oneInAHundred = 100;

await using broker = await startRabbitmq();
await using collector = await collect();
const model = await broker.connect();
const folder = mkdtempSync(join(tmpdir(), "tsserve-benchmark-"));

interface Figures {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

/** Consumers say how long they took from the end of the warm-up to the last message, and their CPU time: `DONE MILLISECONDS MICROSECONDS`. */
const kinds: Readonly<Record<string, (prefetch: number, queue: string) => readonly string[]>> = {
  bare: (prefetch, queue) => [path("apps/bare-consumer.mjs"), ...[broker.port, prefetch, messages, warmUp, queue].map(String)],
  tsserve: (prefetch, queue) => [bin, iniFile(prefetch, queue), "--bind", "127.0.0.1:0"],
  "tsserve, spans of 1 %": (prefetch, queue) => [
    bin,
    iniFile(prefetch, queue, [`tracing.endpoint = ${collector.url}`]),
    "--bind",
    "127.0.0.1:0",
  ],
};

function iniFile(prefetch: number, queue: string, more: readonly string[] = []): string {
  const file = join(folder, `${queue}-${prefetch}-${more.length}.ini`);
  const lines = [
    "[server:main]",
    "factory = tsserve/queue",
    `amqp.port = ${broker.port}`,
    `max_concurrency = ${prefetch / 2}`,
    `amqp.qos.queue_prefetch_count = ${prefetch}`,
    "metrics.endpoint = 127.0.0.1:0",
    ...more,
    "[app:main]",
    `factory = ${path("apps/counting-consumer.mjs")}`,
    `messages = ${messages}`,
    `warm_up = ${warmUp}`,
    `queue = ${queue}`,
    "",
  ];
  writeFileSync(file, lines.join("\n"));
  return file;
}

async function fill(queue: string, type: string): Promise<void> {
  const channel = await model.createConfirmChannel();
  // What a consumer that was killed had not acknowledged yet would come on top.
  await channel.deleteQueue(queue);
  await channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": type } });
  for (let n = 0; n < messages; n += 1) {
    const flags = n % oneInAHundred === 0 ? "01" : "00";
    const headers = { traceparent: `00-${String(n + 1).padStart(32, "0")}-b7ad6b7169203331-${flags}` };
    if (!channel.sendToQueue(queue, body, { persistent: true, messageId: String(n), headers })) await once(channel, "drain");
  }
  await channel.waitForConfirms();
  await channel.close();
}

async function measure(args: readonly string[]): Promise<Figures> {
  const child = spawn(node, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  let output = "";
  const done = new Promise<[number, number]>((resolve, reject) => {
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const [, wall, cpu] = /DONE ([\d.]+) (\d+)/.exec(output) ?? [];
      if (wall !== undefined) resolve([Number(wall), Number(cpu)]);
    });
    void exited.then(([code]) => reject(new Error(`a consumer ended with the status ${code}:\n${output}`)));
  });
  const [ms, micros] = await done;
  child.kill();
  await exited;
  const counted = messages - warmUp;
  return { perSecond: (counted / ms) * 1000, cpuMicros: micros / counted };
}

/** Median, and the quartiles in brackets. */
function spread(values: readonly number[], digits: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.round(share * (sorted.length - 1))] ?? 0).toFixed(digits);
  return `${median(sorted).toFixed(digits)} [${at(0.25)}–${at(0.75)}]`;
}

for (const type of types) {
  for (const prefetch of prefetches) {
    const queue = `throughput-${type}`;
    const all: Record<string, Figures[]> = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, []]));
    for (let round = 0; round < rounds; round += 1) {
      // Each goes first in turn: what the machine does in between falls on all.
      const entries = Object.entries(kinds);
      const order = entries.map((_, index) => entries[(index + round) % entries.length] as (typeof entries)[number]);
      for (const [kind, args] of order) {
        await fill(queue, type);
        all[kind]?.push(await measure(args(prefetch, queue)));
      }
    }
    const bare = all["bare"] ?? [];
    for (const [kind, figures] of Object.entries(all)) {
      const rate = spread(
        figures.map(({ perSecond }) => perSecond),
        0,
      );
      const cost = spread(
        figures.map(({ cpuMicros }) => cpuMicros),
        1,
      );
      console.log(`${type}, prefetch ${prefetch}, ${kind}: ${rate} messages/s, ${cost} µs of CPU each`);
      if (kind === "bare") continue;
      const rates = figures.map(({ perSecond }, round) => perSecond / (bare[round]?.perSecond ?? Number.NaN));
      const costs = figures.map(({ cpuMicros }, round) => cpuMicros / (bare[round]?.cpuMicros ?? Number.NaN));
      console.log(`${type}, prefetch ${prefetch}, ${kind} / bare: rate ${spread(rates, 2)}, CPU ${spread(costs, 2)}`);
    }
  }
}
console.log(`the collector got ${collector.spans.length} spans`);
await model.close();
rmSync(folder, { recursive: true });
