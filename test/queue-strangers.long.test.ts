import { rmSync } from "node:fs";
import { join } from "node:path";
import { makeTemporaryFolder, until, type TemporaryFolder } from "@tsserve/testing";
import type { ChannelModel } from "amqplib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { consumersOf, type Consume, type Consumed } from "./support/consume.ts";
import { feed } from "./support/feed.ts";
import { done, twice } from "./support/journal.ts";
import { fill, noRabbitmq, ready, sendTo, startRabbitmq, takeAll, type Rabbitmq } from "./support/rabbitmq.ts";
import { nestedTables, propertyFlags, publishRaw, shortString, tableWith } from "./support/raw-amqp.ts";
import { stormyProxy } from "./support/stormy-proxy.ts";

if (noRabbitmq !== undefined) console.log(`queue-strangers.long.test.ts ${noRabbitmq}`);

/** By hand, with more of it: TSSERVE_QUEUE_ROUNDS=60 is a storm of a minute. */
const rounds = Number(process.env["TSSERVE_QUEUE_ROUNDS"] ?? 5);

describe.skipIf(noRabbitmq !== undefined)("RabbitMQ, and what strangers do to it", () => {
  let broker: Rabbitmq;
  let model: ChannelModel;
  let folder: TemporaryFolder;
  let consume: Consume;

  const connect = async (): Promise<void> => void (model = await broker.connectLoosely());

  beforeAll(async () => {
    broker = await startRabbitmq();
    folder = makeTemporaryFolder({});
    consume = consumersOf(broker, folder.path);
    await connect();
  });

  afterAll(async () => {
    await model?.close().catch(() => undefined);
    await broker?.[Symbol.asyncDispose]();
    folder?.remove();
  });

  const handled = (server: Consumed, count: number): Promise<unknown> =>
    until("all to be handled", () => new Set(done(server.runs())).size === count, { timeoutMs: 60_000, describe: server.stdout });

  test("bodies beyond the limit are dead letters, whole, and the others are handled beside them", async () => {
    await using server = consume({ server: { max_message_size: "1M" } });
    await server.listening();
    for (let n = 0; n < 3; n += 1) await sendTo(model, server.queue, Buffer.alloc(40 * 1024 * 1024, "x"));
    await fill(model, server.queue, 20);
    await handled(server, 20);
    await until("the dead letters", async () => (await ready(model, `${server.queue}.dead`)) === 3, { timeoutMs: 60_000 });
    const channel = await model.createChannel();
    const dead = await channel.get(`${server.queue}.dead`, { noAck: true });
    await channel.close();
    expect(dead === false ? 0 : dead.content.length).toBe(40 * 1024 * 1024);
    expect(dead === false ? {} : dead.properties.headers).toMatchObject({ "x-dead-reason": "oversized" });
  });

  test("messages as other clients write them, and amqplib does not: each is handled, or a dead letter, and none costs the connection", async () => {
    await using server = consume({ server: { retry_limit: "1", retry_delay: "100 milliseconds" } });
    await server.listening();
    const noText = Buffer.alloc(255, 0xff);
    const unreadable = [nestedTables(15_000)];
    const odd: readonly (readonly [keyof typeof propertyFlags, Buffer])[] = [
      ["timestamp", Buffer.alloc(8, 0xff)],
      ["messageId", shortString(noText)],
      ["correlationId", shortString(noText)],
      ["headers", tableWith(noText)],
      ["headers", nestedTables(2000)],
      ...unreadable.map((bytes) => ["headers", bytes] as const),
    ];
    const channel = await model.createChannel();
    const body = (n: number): Buffer => Buffer.from(JSON.stringify({ n, act: "throw" }));
    for (const [n, [property, bytes]] of odd.entries()) publishRaw(model, channel, server.queue, body(100 + n), property, bytes);
    await fill(model, server.queue, 20);
    await handled(server, 20);
    const dead = `${server.queue}.dead`;
    await until("the dead letters", async () => (await ready(model, dead)) === odd.length, { timeoutMs: 60_000, describe: server.stdout });
    const runs = odd.map((_, n) => server.runs().filter((run) => run.n === 100 + n).length);
    expect(runs).toEqual([...odd.slice(unreadable.length).map(() => 2), ...unreadable.map(() => 0)]);
    expect((await takeAll(model, dead)).toSorted((one, other) => one - other)).toEqual(odd.map((_, n) => 100 + n));
    expect(server.logs().filter(({ msg }) => msg.includes("the subscription is gone"))).toEqual([]);
    await channel.close();
  });

  test("in order, a message that fails for longer than RabbitMQ waits for its acknowledgement gets as many runs as any other", async () => {
    const waits = (ms: number): void =>
      broker.ctl("eval", `application:set_env(rabbit, consumer_timeout, ${ms}), application:set_env(rabbit, channel_tick_interval, 1000).`);
    waits(2000);
    try {
      await using server = consume({ server: { retry_limit: "4", retry_delay: "2 seconds" } }, { ordered: "true" });
      await server.listening();
      await sendTo(model, server.queue, JSON.stringify({ n: 0, act: "throw" }));
      await sendTo(model, server.queue, JSON.stringify({ n: 1 }));
      await until("the next one", () => done(server.runs()).includes(1), { timeoutMs: 60_000, describe: server.stdout });
      expect(server.runs().filter(({ what, n }) => what === "begun" && n === 0)).toHaveLength(5);
      expect(server.logs().filter(({ msg }) => msg.includes("delivery acknowledgement on channel")).length).toBeGreaterThan(0);
      expect(await takeAll(model, `${server.queue}.dead`)).toEqual([0]);
    } finally {
      waits(1_800_000);
    }
  });

  test("a handler that blocks for longer than the broker waits: nothing is lost, and it is told", async () => {
    await using server = consume({ server: { "amqp.heartbeat": "1" } }, { block: "6000" });
    await server.listening();
    await sendTo(model, server.queue, JSON.stringify({ n: 1000, act: "block" }), { messageId: "blocking" });
    await fill(model, server.queue, 30);
    await handled(server, 31);
    await server.log(/the subscription is gone/);
    // It was done; only its acknowledgement came too late.
    expect(twice(server.runs())).toEqual([]);
    await until("the queue to be empty", async () => (await ready(model, server.queue)) === 0);
  });

  test("fifty consumers in one app: each has its queue, and a stop ends them all", async () => {
    const queues = Array.from({ length: 50 }, (_, n) => `fifty${n}`);
    await using server = consume({}, { queue: queues.join(",") });
    await server.listening();
    for (const [n, queue] of queues.entries()) await sendTo(model, queue, JSON.stringify({ n }));
    await handled(server, 50);
    expect(server.stderr()).not.toMatch(/MaxListenersExceededWarning/);
    server.kill();
    expect((await server.exited()).code).toBe(0);
  });

  test("connections that are cut again and again: nothing lost, and with ids nothing twice", async () => {
    await using storm = await stormyProxy(broker.port);
    await using server = consume({ server: { "amqp.port": String(storm.port) } }, { sleep: "15" });
    await server.listening();
    const feeding = feed(broker, server.queue, 200);
    for (let round = 0; round < rounds; round += 1) {
      const { length } = server.runs();
      await until("it to consume", () => server.runs().length > length + 20, { timeoutMs: 40_000, describe: server.stdout });
      storm.cut();
    }
    await feeding.stop();
    await handled(server, feeding.confirmed);
    console.log(`${rounds} cuts: ${JSON.stringify({ messages: feeding.confirmed, twice: twice(server.runs()).length })}`);
    expect(twice(server.runs()).filter((n) => !feeding.sentAgain.has(n))).toEqual([]);
  });

  test("a queue that is deleted in the middle of a stop does not keep the stop from ending", async () => {
    await using server = consume({ server: { stop_timeout: "60" } }, { sleep: "1000" });
    await server.listening();
    await fill(model, server.queue, 20);
    await until("it to be busy", () => server.runs().length >= 10);
    server.kill();
    await server.log(/drain|stopping/i);
    const channel = await model.createChannel();
    await channel.deleteQueue(server.queue);
    await channel.close();
    expect((await server.exited(60_000)).code).toBe(0);
  });

  test("a third signal waits for no handler: what runs goes back", async () => {
    await using server = consume({ server: { stop_timeout: "60" } }, { deaf: "true" });
    await server.listening();
    await sendTo(model, server.queue, JSON.stringify({ n: 1, act: "hang" }));
    await until("it to run", () => server.runs().length === 1);
    server.kill();
    await server.log(/stopping: /);
    server.kill();
    await server.log(/once more ends the process at once/);
    server.kill();
    expect((await server.exited(20_000)).code).not.toBe(0);
    await until("the message to be back", async () => (await ready(model, server.queue)) === 1);
  });

  test("a stop while the broker is away ends at once, and one that comes back without its data is consumed from again", async () => {
    await using server = consume();
    await using stopped = consume();
    await Promise.all([server.listening(), stopped.listening()]);
    await model.close().catch(() => undefined);
    await broker.kill();
    await Promise.all([server.log(/the subscription is gone/), stopped.log(/the subscription is gone/)]);
    stopped.kill();
    expect((await stopped.exited(20_000)).code).toBe(0);
    rmSync(join(broker.folder, "mnesia"), { recursive: true, force: true });
    await broker.start();
    await connect();
    await until("its queue to be there again", async () => (await ready(model, server.queue)) >= 0, { timeoutMs: 60_000 });
    await fill(model, server.queue, 20);
    await handled(server, 20);
  });
});
