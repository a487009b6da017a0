import { makeTemporaryFolder, until, type TemporaryFolder } from "@tsserve/testing";
import type { ChannelModel } from "amqplib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { consumersOf, type Consume } from "./support/consume.ts";
import { done, twice, twiceByOne } from "./support/journal.ts";
import { drained, fill, noRabbitmq, ready, sendTo, startRabbitmq, takeAll, type Rabbitmq } from "./support/rabbitmq.ts";

if (noRabbitmq !== undefined) console.log(`queue-poison.long.test.ts ${noRabbitmq}`);

const poison = 1000;
/** Twice `max_concurrency`, unless it is set. */
const prefetch = 20;

/** One message that ends the connection of whoever handles it, and thirty behind it. */
describe.skipIf(noRabbitmq !== undefined).each(["classic", "quorum"])("a message that blocks its worker, on a %s queue", (queueType) => {
  let broker: Rabbitmq;
  let model: ChannelModel;
  let folder: TemporaryFolder;
  let consume: Consume;

  beforeAll(async () => {
    broker = await startRabbitmq();
    folder = makeTemporaryFolder({});
    consume = consumersOf(broker, folder.path, { "amqp.heartbeat": "1", "amqp.queue_type": queueType, retry_delay: "200 milliseconds" });
    model = await broker.connect();
  });

  afterAll(async () => {
    await model?.close().catch(() => undefined);
    await broker?.[Symbol.asyncDispose]();
    folder?.remove();
  });

  // By hand, with all of them: TSSERVE_QUEUE_ROUNDS=10.
  const all = ["block", "pauseAndBlock", "blockAndThrow"].flatMap((act) =>
    [true, false].flatMap((hasId) => [1, 2].map((workers) => ({ act, hasId, workers }))),
  );
  const few = [
    { act: "block", hasId: false, workers: 1 },
    { act: "pauseAndBlock", hasId: true, workers: 2 },
    { act: "blockAndThrow", hasId: false, workers: 1 },
  ];
  const usual = queueType === "classic" ? few : few.slice(2);
  const kinds = Number(process.env["TSSERVE_QUEUE_ROUNDS"] ?? 0) < 10 ? usual : all;

  test.each(kinds)("$act, with an id: $hasId, $workers of them", async ({ act, hasId, workers }) => {
    const queue = `${act}${hasId}${workers}`;
    const own = { queue, block: "4500" };
    const options = { server: { retry_limit: "1" } };
    await using server = consume(options, own);
    await server.listening();
    await sendTo(model, queue, { n: poison, act }, hasId ? { messageId: "poison" } : {});
    await fill(model, queue, 30, { withIds: hasId });
    await using other = workers === 2 ? consume(options, own) : undefined;
    await other?.listening();
    const others = (): Set<number> => new Set(done(server.runs()).filter((n) => n !== poison));
    const told = (): string => server.stdout() + (other?.stdout() ?? "");
    await until("the others to be handled", () => others().size === 30, { timeoutMs: 60_000, describe: told });
    const isOver = async (): Promise<boolean> =>
      act === "blockAndThrow" ? (await ready(model, `${queue}.dead`)) > 0 : done(server.runs()).includes(poison);
    await until("the poison to be finished, or dead", isOver, { timeoutMs: 100_000, describe: told });
    // The other worker may have it yet, or a copy that comes back later, and lose its own connection to it, with all that it holds.
    const workersOfIt = [server, ...(other === undefined ? [] : [other])];
    const answers = async (): Promise<void> => {
      // On a connection of its own each: a worker that has blocked for seconds closes one that has been idle for so long.
      const headers = { connection: "close" };
      for (const each of workersOfIt) await (await fetch(`${await each.listening()}/health?type=liveness`, { headers })).text();
    };
    await drained(broker, queue, told, answers);
    for (const each of workersOfIt) {
      each.kill();
      expect((await each.exited(40_000)).code).toBe(0);
    }
    await drained(broker, queue, told);
    const begun = server.runs().filter(({ what, n }) => what === "begun" && n === poison);
    const losses = workersOfIt.flatMap((each) => each.logs()).filter(({ msg }) => msg.startsWith("the subscription is gone")).length;
    const again = twice(server.runs()).length;
    console.log(`${queueType} ${act}, id ${hasId}, ${workers}: ${begun.length} runs, ${losses} connections lost, twice ${again}`);
    if (workers === 1) expect(begun.length).toBe(act === "blockAndThrow" ? 2 : 1);
    // What docs/queues.md promises: those that a worker held, in another one; with an id, none in the same worker.
    expect(again).toBeLessThanOrEqual(losses * prefetch);
    if (hasId) expect(twiceByOne(server.runs())).toEqual([]);
    expect(new Set(await takeAll(model, `${queue}.dead`))).toEqual(new Set(act === "blockAndThrow" ? [poison] : []));
  });
});
