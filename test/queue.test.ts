import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeTemporaryFolder, until, type TemporaryFolder } from "@tsserve/testing";
import type { ChannelModel } from "amqplib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fill, noRabbitmq, ready, startRabbitmq, type Rabbitmq } from "./support/rabbitmq.ts";
import { serve, type ServeOptions, type Served } from "./support/serve.ts";

if (noRabbitmq !== undefined) console.log(`queue.test.ts ${noRabbitmq}`);

interface Run {
  readonly what: "begun" | "done";
  readonly n: number;
  readonly attempt: number;
  readonly redelivered: boolean;
  readonly pid: number;
  readonly at: number;
}

describe.skipIf(noRabbitmq !== undefined)("RabbitMQ", () => {
  let broker: Rabbitmq;
  let model: ChannelModel;
  let folder: TemporaryFolder;
  let lastQueue = 0;

  beforeAll(async () => {
    broker = await startRabbitmq();
    model = await broker.connect();
    model.on("error", () => undefined);
    folder = makeTemporaryFolder({});
  });

  afterAll(async () => {
    await model?.close().catch(() => undefined);
    await broker?.[Symbol.asyncDispose]();
    folder?.remove();
  });

  /** A consumer of a queue of its own. */
  function consume(options: ServeOptions = {}, own: Record<string, string> = {}): Served & { queue: string; runs(): Run[] } {
    const queue = own["queue"] ?? `q${(lastQueue += 1)}`;
    const journal = join(folder.path, `${queue.split(",")[0]}.jsonl`);
    const served = serve({
      ...options,
      app: "consumer.mjs",
      server: { factory: "tsserve/queue", "metrics.endpoint": "127.0.0.1:0", ...broker.settings, ...options.server },
      config: { ...own, queue, journal },
    });
    const runs = (): Run[] =>
      existsSync(journal)
        ? readFileSync(journal, "utf8")
            .split("\n")
            .filter((line) => line !== "")
            .map((line) => JSON.parse(line) as Run)
        : [];
    return Object.assign(served, { queue, runs });
  }

  const done = (runs: readonly Run[]): number[] => runs.filter(({ what }) => what === "done").map(({ n }) => n);

  test("a stop in the middle loses nothing, runs nothing twice, and flags nothing as redelivered", async () => {
    await using first = consume({}, { sleep: "20" });
    await first.listening();
    await fill(model, first.queue, 300);
    await until("the first to be busy", () => done(first.runs()).length > 30);
    first.kill();
    expect((await first.exited()).code).toBe(0);
    await using second = consume({}, { queue: first.queue, sleep: "1" });
    await until("all to be handled", () => new Set(done(second.runs())).size === 300, { describe: second.stdout });
    expect(done(second.runs())).toHaveLength(300);
    expect(second.runs().filter(({ redelivered }) => redelivered)).toEqual([]);
    await until("the queue to be empty", async () => (await ready(model, first.queue)) === 0);
  });
});
