import { makeTemporaryFolder, until, type TemporaryFolder } from "@tsserve/testing";
import type { ChannelModel } from "amqplib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { consumersOf, type Consume, type Consumed } from "./support/consume.ts";
import { done, twice } from "./support/journal.ts";
import { fill, noRabbitmq, ready, sendTo, startRabbitmq, type Rabbitmq } from "./support/rabbitmq.ts";
import { serve, type Served } from "./support/serve.ts";

if (noRabbitmq !== undefined) console.log(`queue-limits.long.test.ts ${noRabbitmq}`);

/** Those that take long, by hand: TSSERVE_QUEUE_ROUNDS=10. */
const lasting = test.runIf(Number(process.env["TSSERVE_QUEUE_ROUNDS"] ?? 0) >= 10);

describe.skipIf(noRabbitmq !== undefined)("RabbitMQ, when its operator, its disk or its limits say no", () => {
  let broker: Rabbitmq;
  let model: ChannelModel;
  let folder: TemporaryFolder;
  let consume: Consume;

  beforeAll(async () => {
    broker = await startRabbitmq(["channel_max = 8"]);
    folder = makeTemporaryFolder({});
    consume = consumersOf(broker, folder.path, { retry_delay: "100 milliseconds" });
    model = await broker.connect();
  });

  afterAll(async () => {
    await model?.close().catch(() => undefined);
    await broker?.[Symbol.asyncDispose]();
    folder?.remove();
  });

  const handled = (server: Consumed, count: number): Promise<unknown> =>
    until("all to be handled", () => new Set(done(server.runs())).size === count, { timeoutMs: 60_000, describe: server.stdout });

  /** What an HTTP app's publication comes to. */
  async function publish(server: Served, ...args: readonly unknown[]): Promise<Readonly<Record<string, unknown>>> {
    const response = await fetch(await server.listening(), { method: "POST", body: JSON.stringify({ by: "amqp", args }) });
    return (await response.json()) as Record<string, unknown>;
  }

  const publisher = (): Served =>
    serve({ app: "publisher.mjs", server: { "metrics.enabled": "false" }, config: { "amqp.port": String(broker.port) } });

  test("no space on its disk: what is there is handled, retries wait, publishers are told why, and then all goes on", async () => {
    await using server = consume({}, { concurrency: "1", prefetch: "30", sleep: "150" });
    await using web = publisher();
    await server.listening();
    await fill(model, server.queue, 20);
    await sendTo(model, server.queue, { n: 1000, act: "throwOnce" }, { messageId: "m" });
    broker.ctl("set_disk_free_limit", "900GB");
    try {
      const refused = await publish(web, "none", {}, { exchange: "", timeout: "2 seconds" });
      expect(refused).toMatchObject({ ok: false, code: expect.stringMatching(/TIMEOUT|UNAVAILABLE|NO_ROUTE/) as string });
      await until("the publisher to be told why", async () =>
        String((await publish(web, "none", {}, { exchange: "", timeout: "2 seconds" }))["message"]).includes("low on disk"),
      );
      await until("the others to be handled", () => done(server.runs()).filter((n) => n < 20).length === 20, {
        timeoutMs: 60_000,
        describe: server.stdout,
      });
    } finally {
      broker.ctl("set_disk_free_limit", "50MB");
    }
    await handled(server, 21);
    expect(twice(server.runs())).toEqual([]);
  });

  test("a queue that is full and says so: the publisher gets an error of its own, and the others go through", async () => {
    const channel = await model.createChannel();
    await channel.assertQueue("full", { durable: true, arguments: { "x-max-length": 2, "x-overflow": "reject-publish" } });
    await using web = publisher();
    const results = [];
    for (let n = 0; n < 4; n += 1) results.push(await publish(web, "full", { n }, { exchange: "" }));
    expect(results.map(({ ok, code }) => [ok, code])).toEqual([
      [true, undefined],
      [true, undefined],
      [false, "NACK"],
      [false, "NACK"],
    ]);
    expect(results[2]).toMatchObject({ mayHaveBeenSent: false });
    await channel.purgeQueue("full");
    expect(await publish(web, "full", {}, { exchange: "" })).toMatchObject({ ok: true });
    await channel.close();
  });

  lasting("a user whose rights are taken away, and given back: nothing is lost, and it is said what is missing", async () => {
    await using server = consume();
    await server.listening();
    broker.ctl("clear_permissions", "guest");
    broker.ctl("close_all_connections", "an operator");
    await server.log(/the subscription is gone/);
    await server.log(/can't subscribe yet: .*(?:refuse|ACCESS_REFUSED|permissions)/);
    broker.ctl("set_permissions", "guest", ".*", ".*", ".*");
    model = await broker.connect();
    await fill(model, server.queue, 20);
    await handled(server, 20);
  });

  lasting("a virtual host that is deleted and made anew is consumed from again", async () => {
    broker.ctl("add_vhost", "own");
    broker.ctl("set_permissions", "-p", "own", "guest", ".*", ".*", ".*");
    await using server = consume({ server: { "amqp.virtualhost": "own" } });
    await server.listening();
    broker.ctl("delete_vhost", "own");
    await server.log(/the subscription is gone/);
    await server.log(/no virtual host "own"|can't subscribe yet/);
    broker.ctl("add_vhost", "own");
    broker.ctl("set_permissions", "-p", "own", "guest", ".*", ".*", ".*");
    const own = await broker.connectLoosely("own");
    await until("its queue", async () => (await ready(own, server.queue)) >= 0, { timeoutMs: 60_000, describe: server.stdout });
    await fill(own, server.queue, 20);
    await handled(server, 20);
    await own.close();
  });

  lasting("no connection is left for its retries: they wait, others are handled, and then they go", async () => {
    broker.ctl("add_vhost", "narrow");
    broker.ctl("set_permissions", "-p", "narrow", "guest", ".*", ".*", ".*");
    const own = await broker.connectLoosely("narrow");
    await using server = consume({ server: { "amqp.virtualhost": "narrow" } });
    await server.listening();
    broker.ctl("set_vhost_limits", "-p", "narrow", '{"max-connections": 2}');
    await sendTo(own, server.queue, { n: 1000, act: "throwOnce" }, { messageId: "m" });
    await server.log(/the retry of a message can't be written yet/);
    await fill(own, server.queue, 20);
    await until("the others", () => new Set(done(server.runs())).size === 20, { timeoutMs: 60_000, describe: server.stdout });
    broker.ctl("clear_vhost_limits", "-p", "narrow");
    await handled(server, 21);
    await own.close();
  });

  test("more consumers than a connection may have channels: the start fails, and says why", async () => {
    await using server = consume({ server: { start_timeout: "4" } }, { queue: Array.from({ length: 12 }, (_, n) => `many${n}`).join(",") });
    expect((await server.exited(40_000)).code).toBe(3);
    expect(server.stdout() + server.stderr()).toMatch(/channels/i);
  });

  test("a queue that another holds for itself: it is said, and once it is free the start succeeds", async () => {
    const channel = await model.createChannel();
    await channel.assertQueue("held", { durable: true });
    await channel.consume("held", () => undefined, { exclusive: true });
    await using refused = consume({ server: { start_timeout: "5" } }, { queue: "held" });
    expect((await refused.exited(40_000)).code).toBe(3);
    expect(refused.stdout() + refused.stderr()).toMatch(/exclusive use/);
    await channel.close();
    await using server = consume({}, { queue: "held" });
    await server.listening();
    await fill(model, "held", 5);
    await handled(server, 5);
  });

  test("another consumer is the single active one: this one waits, ready, and takes over when that goes", async () => {
    const channel = await model.createChannel();
    await channel.assertQueue("single", { durable: true, arguments: { "x-single-active-consumer": true } });
    await channel.prefetch(5);
    await channel.consume("single", () => undefined);
    await using server = consume({}, { queue: "single", ordered: "true" });
    const base = await server.listening();
    await fill(model, "single", 10);
    expect((await fetch(`${base}/health`)).status).toBe(200);
    expect(server.runs()).toEqual([]);
    await channel.close();
    await handled(server, 10);
    expect(done(server.runs())).toEqual(Array.from({ length: 10 }, (_, n) => n));
  });

  lasting("bodies as large as the broker takes, in and out: handled or a dead letter, whole, and the others beside them", async () => {
    const size = 120 * 1024 * 1024;
    await using server = consume({ server: { max_message_size: "256M" } }, { prefetch: "2", concurrency: "2" });
    await server.listening();
    const padding = "x".repeat(size);
    await sendTo(model, server.queue, Buffer.from(`{"n":500,"padding":"${padding}"}`), { messageId: "m" });
    await sendTo(model, server.queue, Buffer.from(`{"n":501,"act":"reject","padding":"${padding}"}`), { messageId: "m" });
    await fill(model, server.queue, 10);
    await handled(server, 11);
    await until("the dead letter", async () => (await ready(model, `${server.queue}.dead`)) === 1, {
      timeoutMs: 60_000,
      describe: server.stdout,
    });
    const channel = await model.createChannel();
    const dead = await channel.get(`${server.queue}.dead`, { noAck: true });
    await channel.close();
    expect(dead === false ? 0 : dead.content.length).toBeGreaterThan(size);
  });
});
