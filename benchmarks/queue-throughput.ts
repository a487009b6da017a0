// How many messages a second does a consumer get through, beside a bare loop of amqplib with an async handler, and what CPU time does
// each cost? In turn, the same run; messages that warm it up do not count. Metrics are on, traces as the INI file has them.
// [TSSERVE_TEST_NODE=…] node --import tsx benchmarks/queue-throughput.ts [ROUNDS] [MESSAGES] [PREFETCHES]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import type { ChannelModel } from "amqplib";
import { startRabbitmq } from "../test/support/rabbitmq.ts";
import { bin, median, node, path } from "./servers.ts";

const rounds = Number(process.argv[2] ?? 7);
const messages = Number(process.argv[3] ?? 40_000);
const warmUp = Math.round(messages / 4);
const queue = "throughput";
const body = Buffer.from(JSON.stringify({ text: "x".repeat(180) }));

await using broker = await startRabbitmq();
const model = await broker.connect();
const folder = mkdtempSync(join(tmpdir(), "tsserve-benchmark-"));

interface Figures {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

/** Consumers say how long they took from the end of the warm-up to the last message, and their CPU time: `DONE MILLISECONDS MICROSECONDS`. */
const kinds: Readonly<Record<string, (prefetch: number) => readonly string[]>> = {
  bare: (prefetch) => [path("apps/bare-consumer.mjs"), ...[broker.port, prefetch, messages, warmUp].map(String)],
  tsserve: (prefetch) => [bin, iniFile(prefetch), "--bind", "127.0.0.1:0"],
};

function iniFile(prefetch: number): string {
  const file = join(folder, `${prefetch}.ini`);
  const lines = [
    "[server:main]",
    "factory = tsserve/queue",
    `amqp.port = ${broker.port}`,
    `max_concurrency = ${prefetch / 2}`,
    `amqp.qos.queue_prefetch_count = ${prefetch}`,
    "metrics.endpoint = 127.0.0.1:0",
    "[app:main]",
    `factory = ${path("apps/counting-consumer.mjs")}`,
    `messages = ${messages}`,
    `warm_up = ${warmUp}`,
    "",
  ];
  writeFileSync(file, lines.join("\n"));
  return file;
}

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

async function measure(args: readonly string[]): Promise<Figures> {
  await fill(model);
  const child = spawn(node, args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  const [ms, micros] = await new Promise<[number, number]>((resolve) => {
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const [, wall, cpu] = /DONE ([\d.]+) (\d+)/.exec(output) ?? [];
      if (wall !== undefined) resolve([Number(wall), Number(cpu)]);
    });
  });
  child.kill();
  await once(child, "exit");
  const counted = messages - warmUp;
  return { perSecond: (counted / ms) * 1000, cpuMicros: micros / counted };
}

/** Median, and the quartiles in brackets. */
function spread(values: readonly number[], digits: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.round(share * (sorted.length - 1))] ?? 0).toFixed(digits);
  return `${median(sorted).toFixed(digits)} [${at(0.25)}–${at(0.75)}]`;
}

for (const prefetch of (process.argv[4] ?? "500,20").split(",").map(Number)) {
  const rates: number[] = [];
  const costs: number[] = [];
  const all: Record<string, Figures[]> = { bare: [], tsserve: [] };
  for (let round = 0; round < rounds; round += 1) {
    const pair: Record<string, Figures> = {};
    // Each goes first in turn: what the machine does in between falls on both.
    const order = round % 2 === 0 ? Object.entries(kinds) : Object.entries(kinds).reverse();
    for (const [kind, args] of order) {
      const figures = await measure(args(prefetch));
      pair[kind] = figures;
      all[kind]?.push(figures);
    }
    const { bare, tsserve } = pair;
    if (bare === undefined || tsserve === undefined) continue;
    rates.push(tsserve.perSecond / bare.perSecond);
    costs.push(tsserve.cpuMicros / bare.cpuMicros);
  }
  for (const [kind, figures] of Object.entries(all))
    console.log(
      `prefetch ${prefetch}, ${kind}: ${spread(
        figures.map(({ perSecond }) => perSecond),
        0,
      )} messages/s, ${spread(
        figures.map(({ cpuMicros }) => cpuMicros),
        1,
      )} µs of CPU each`,
    );
  console.log(`prefetch ${prefetch}, tsserve / bare: rate ${spread(rates, 2)}, CPU ${spread(costs, 2)}`);
}
await model.close();
rmSync(folder, { recursive: true });
