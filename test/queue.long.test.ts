import { join } from "node:path";
import { freePort, makeTemporaryFolder, until, type TemporaryFolder } from "@tsserve/testing";
import type { ChannelModel } from "amqplib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { amqpProxy } from "./support/amqp-proxy.ts";
import { badPeer } from "./support/bad-peer.ts";
import { consumersOf, type Consume, type Consumed } from "./support/consume.ts";
import { feed, type Feed } from "./support/feed.ts";
import { done, readJournal, twice } from "./support/journal.ts";
import { closeConsumers, fill, noRabbitmq, ready, sendTo, startRabbitmq, toldOf, type Rabbitmq } from "./support/rabbitmq.ts";
import { serve, type ServeOptions } from "./support/serve.ts";

if (noRabbitmq !== undefined) console.log(`queue.long.test.ts ${noRabbitmq}`);

/** By hand, with more of everything: TSSERVE_QUEUE_ROUNDS=50 gives a hundred replacements, fifty kills, … */
const rounds = Number(process.env["TSSERVE_QUEUE_ROUNDS"] ?? 2);

/** What has been handled twice, though it was sent once. */
const twiceOf = (server: Consumed, feeding: Feed): number[] => twice(server.runs()).filter((n) => !feeding.sentAgain.has(n));

const figures = (what: string, values: object): void => console.log(`${what}: ${JSON.stringify(values)}`);

describe.skipIf(noRabbitmq !== undefined).each(["classic", "quorum"])("RabbitMQ, %s queues", (type) => {
  let broker: Rabbitmq;
  let model: ChannelModel;
  let folder: TemporaryFolder;
  let consumed: Consume;

  const connect = async (): Promise<void> => void (model = await broker.connectLoosely());

  beforeAll(async () => {
    broker = await startRabbitmq();
    folder = makeTemporaryFolder({});
    consumed = consumersOf(broker, folder.path, { "amqp.queue_type": type });
    await connect();
  });

  afterAll(async () => {
    await model?.close().catch(() => undefined);
    await broker?.[Symbol.asyncDispose]();
    folder?.remove();
  });

  const consume = (own: Record<string, string> = {}, options: ServeOptions = {}): Consumed => consumed(options, { sleep: "15", ...own });

  const drained = async (server: Consumed, confirmed: number): Promise<void> => {
    const missing = (): number[] => {
      const handled = new Set(done(server.runs()));
      return Array.from({ length: confirmed }, (_, n) => n).filter((n) => !handled.has(n));
    };
    const handling = until("all to be handled", () => missing().length === 0, {
      // What has come back several times waits for 64 seconds.
      timeoutMs: 150_000,
      describe: () => `without ${missing().length} of ${confirmed}: ${missing().slice(0, 50).join(" ")}\n${server.stdout().slice(-5000)}`,
    });
    await toldOf(broker, server.queue, handling);
    await until("the queue to be empty", async () => (await ready(model, server.queue)) === 0);
  };

  test("replacements of busy workers: nothing lost, nothing twice, nothing flagged as redelivered", async () => {
    await using server = consume({}, { args: ["--workers", "2"] });
    await server.listening();
    const feeding = feed(broker, server.queue, 400);
    for (let round = 1; round <= rounds; round += 1) {
      const { length } = server.logs().filter(({ msg }) => /^generation \d+ is up/.test(msg));
      server.kill("SIGHUP");
      await until("the upgrade", () => server.logs().filter(({ msg }) => /^generation \d+ is up/.test(msg)).length > length, {
        timeoutMs: 30_000,
        describe: () => server.stdout().slice(-3000),
      });
    }
    await feeding.stop();
    await drained(server, feeding.confirmed);
    const runs = server.runs();
    const flagged = runs.filter(({ redelivered }) => redelivered).length;
    figures(`${2 * rounds} replacements, ${type}`, { messages: feeding.confirmed, twice: twice(runs).length, flagged });
    expect([twiceOf(server, feeding), flagged]).toEqual([[], 0]);
    server.kill();
    expect((await server.exited()).code).toBe(0);
  });

  test("workers that are killed: nothing lost, at most a prefetch twice for each", async () => {
    await using server = consume({}, { args: ["--workers", "2"] });
    await server.listening();
    const feeding = feed(broker, server.queue, 400);
    for (let round = 0; round < rounds; round += 1) {
      const before = server.runs().length;
      // A master starts its workers ever later when they die in quick succession.
      await until("it to be busy", () => server.runs().length > before + 100, {
        timeoutMs: 120_000,
        describe: () => server.stdout().slice(-3000),
      });
      const pid = server.runs().at(-1)?.pid;
      if (pid !== undefined) process.kill(pid, "SIGKILL");
    }
    await feeding.stop();
    await drained(server, feeding.confirmed);
    const runs = server.runs();
    const redelivered = runs.filter((run) => run.redelivered && run.what === "begun").length;
    figures(`${rounds} kills of a worker, ${type}`, { messages: feeding.confirmed, twice: twice(runs).length, redelivered });
    expect(twiceOf(server, feeding).length).toBeLessThanOrEqual(20 * rounds);
  });

  test.each([
    ["with ids nothing twice", true],
    ["without ids at most what runs twice for each", false],
  ])("connections that are closed by force: nothing lost, and %s", async (_, withIds) => {
    await using server = consume();
    await server.listening();
    const losses = (): number => server.logs().filter(({ msg }) => /the subscription is gone/.test(msg)).length;
    const feeding = feed(broker, server.queue, 300, { withIds });
    for (let round = 0; round < rounds; round += 1) {
      const before = server.runs().length;
      await until("it to be busy", () => server.runs().length > before + 100, {
        timeoutMs: 60_000,
        describe: () => server.stdout().slice(-3000),
      });
      const lost = losses();
      await closeConsumers(
        broker,
        () => losses() > lost,
        () => server.stdout().slice(-3000),
      );
    }
    await feeding.stop();
    await drained(server, feeding.confirmed);
    const again = twiceOf(server, feeding).length;
    figures(`${rounds} closed connections, ${withIds ? "with" : "without"} ids, ${type}`, {
      messages: feeding.confirmed,
      losses: losses(),
      twice: again,
    });
    // What runs when the connection goes (max_concurrency, 10) is handed out again, and so is what has just been acknowledged.
    expect(again).toBeLessThanOrEqual(withIds ? 0 : 20 * losses());
  });

  test("a broker that is killed, and one that is restarted: nothing lost, consuming again soon, alive and unready meanwhile", async () => {
    await using server = consume();
    const base = await server.listening();
    // A young quorum queue does not survive a kill before it has been written once (seen on 3.10).
    await model.close().catch(() => undefined);
    await broker.kill("SIGTERM");
    await broker.start();
    const feeding = feed(broker, server.queue, 200);
    const backMs: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const before = server.runs().length;
      await until("it to be busy", () => server.runs().length > before + 20, {
        timeoutMs: 60_000,
        describe: () => server.stdout().slice(-3000),
      });
      await broker.kill(round % 4 === 3 ? "SIGTERM" : "SIGKILL");
      if (round === 0) {
        expect((await fetch(`${base}/health?type=liveness`)).status).toBe(200);
        await until("readiness to fail", async () => (await fetch(`${base}/health`)).status === 503, { timeoutMs: 30_000 });
      }
      await broker.start();
      const started = Date.now();
      const { length } = server.runs();
      await until("it to consume", () => server.runs().length > length, {
        timeoutMs: 60_000,
        describe: () => server.stdout().slice(-3000),
      });
      backMs.push(Date.now() - started);
      expect((await fetch(`${base}/health`)).status).toBe(200);
    }
    await feeding.stop();
    await connect();
    await drained(server, feeding.confirmed);
    figures(`${rounds} broker restarts, ${type}`, { messages: feeding.confirmed, longestUntilConsumingMs: Math.max(...backMs) });
    server.kill();
    expect((await server.exited()).code).toBe(0);
  });

  test("an ordered consumer keeps the order over replacements and failures", async () => {
    await using server = consume({ ordered: "true", sleep: "3" }, { args: ["--workers", "2"], server: { retry_delay: "50 milliseconds" } });
    await server.listening();
    const feeding = feed(broker, server.queue, 100);
    for (let round = 1; round <= rounds; round += 1) {
      const { length } = server.logs().filter(({ msg }) => /^generation \d+ is up/.test(msg));
      server.kill("SIGHUP");
      await until("the upgrade", () => server.logs().filter(({ msg }) => /^generation \d+ is up/.test(msg)).length > length, {
        timeoutMs: 30_000,
      });
    }
    await feeding.stop();
    await drained(server, feeding.confirmed);
    const firsts = [
      ...new Set(
        server
          .runs()
          .filter(({ what }) => what === "begun")
          .map(({ n }) => n),
      ),
    ];
    figures(`${2 * rounds} replacements of ordered workers, ${type}`, { messages: feeding.confirmed, twice: twice(server.runs()).length });
    expect(firsts).toEqual([...firsts].sort((a, b) => a - b));
    expect(twiceOf(server, feeding)).toEqual([]);
  });

  test("a message that kills its worker does not keep the others from being handled", async () => {
    await using server = consume({ sleep: "5" }, { args: ["--workers", "2"] });
    await server.listening();
    await fill(model, server.queue, 50);
    await sendTo(model, server.queue, { n: 1000, act: "die" }, { messageId: "killer" });
    await fill(model, server.queue, 200, { from: 50 });
    await until("the others to be handled", () => new Set(done(server.runs())).size === 250, {
      // What has come back several times waits for 64 seconds.
      timeoutMs: 150_000,
      describe: () => server.stdout().slice(-3000),
    });
    const deaths = server.runs().filter(({ n }) => n === 1000).length;
    figures(`a killer, ${type}`, { deaths, twice: twice(server.runs()).length });
    expect(deaths).toBeGreaterThanOrEqual(1);
  });

  test("a memory alarm: consuming goes on, retries wait, none is lost, and a stop ends in time", async () => {
    await using server = consume({ sleep: "1" }, { server: { retry_delay: "100 milliseconds", stop_timeout: "5" } });
    await server.listening();
    const channel = await model.createConfirmChannel();
    const throwing = (n: number): void =>
      void channel.sendToQueue(server.queue, Buffer.from(JSON.stringify({ n, act: "retry" })), { persistent: true });
    throwing(1000);
    await channel.waitForConfirms();
    await until("the first to have been retried", () => done(server.runs()).includes(1000));
    for (let n = 1001; n < 1004; n += 1) throwing(n);
    await channel.waitForConfirms();
    await fill(model, server.queue, 200);
    broker.ctl("set_vm_memory_high_watermark", "0.00001");
    try {
      await until("the others to be handled", () => done(server.runs()).filter((n) => n < 1000).length === 200, { timeoutMs: 60_000 });
      server.kill();
      await server.exited(30_000);
    } finally {
      broker.ctl("set_vm_memory_high_watermark", "0.4");
    }
    await using next = consume({ sleep: "1", queue: server.queue }, { server: { retry_delay: "100 milliseconds" } });
    await until("the retries", () => new Set(done(next.runs())).size === 204, {
      timeoutMs: 60_000,
      describe: () => next.stdout().slice(-3000),
    });
  });

  test("an acknowledgement that takes too long for the broker ends in a subscription again", async () => {
    const allow = (timeoutMs: number, lookEveryMs: number): void =>
      broker.ctl(
        "eval",
        `application:set_env(rabbit, consumer_timeout, ${timeoutMs}), application:set_env(rabbit, channel_tick_interval, ${lookEveryMs}).`,
      );
    allow(3000, 1000);
    try {
      await using server = consume({ sleep: "1" });
      await server.listening();
      const channel = await model.createConfirmChannel();
      channel.sendToQueue(server.queue, Buffer.from(JSON.stringify({ n: 1, act: "hang" })), { persistent: true });
      await channel.waitForConfirms();
      await server.log(/the subscription is gone.*(?:timed out|406)/);
      await fill(model, server.queue, 5, { from: 10 });
      await until("others to be handled", () => done(server.runs()).length >= 5, {
        timeoutMs: 60_000,
        describe: () => server.stdout().slice(-3000),
      });
    } finally {
      allow(1_800_000, 60_000);
    }
  });

  test("peers that say nothing, and peers that reset, are left for the real broker", async () => {
    const backMs: number[] = [];
    for (const kind of ["silent", "resetting"] as const) {
      const port = await freePort();
      await using peer = await badPeer(port, kind);
      await using server = consume(
        {},
        { server: { "amqp.host": "127.0.0.1", "amqp.port": String(port), "amqp.connect_timeout": "1", start_timeout: "60" } },
      );
      await until("it to have tried", () => peer.connections >= 2, { timeoutMs: 20_000 });
      await peer.becomeProxy(broker.port);
      await server.listening();
      await fill(model, server.queue, 5);
      await until("messages to be handled", () => done(server.runs()).length === 5, { timeoutMs: 20_000 });
      // And again in the middle of its life.
      for (let round = 1; round <= Math.ceil(rounds / 2); round += 1) {
        const { length } = server.logs().filter(({ msg }) => /the subscription is gone/.test(msg));
        const { connections } = peer;
        await peer.becomeBad();
        await until("it to see that", () => server.logs().filter(({ msg }) => /the subscription is gone/.test(msg)).length > length);
        await until("it to try the bad peer", () => peer.connections > connections, { timeoutMs: 40_000 });
        await peer.becomeProxy(broker.port);
        const begun = Date.now();
        await fill(model, server.queue, 5, { from: 5 * round });
        await until("messages to be handled again", () => done(server.runs()).length === 5 + 5 * round, {
          timeoutMs: 40_000,
          describe: () => server.stdout().slice(-3000),
        });
        backMs.push(Date.now() - begun);
      }
    }
    figures(`${backMs.length} bad peers, ${type}`, { longestUntilConsumingMs: Math.max(...backMs) });
  });

  test.each([
    ["a retry", { act: "retry", settings: {} }],
    ["a dead letter", { act: "throw", settings: { retry_limit: "0" } }],
  ])("a worker that is killed at whatever step of %s loses nothing", async (what, { act, settings }) => {
    const journal = join(folder.path, `steps-${type}-${act}.jsonl`);
    const queues: string[] = [];
    const options = (queue: string, port: number): ServeOptions => ({
      app: "consumer.mjs",
      server: { factory: "tsserve/queue", "metrics.enabled": "false", "amqp.queue_type": type, ...settings, "amqp.port": String(port) },
      config: { queue, journal },
    });
    const channel = await model.createConfirmChannel();
    // Every step by hand, one in ten of them else.
    for (let step = 1, reached = true; reached; step += rounds < 10 ? 10 : 1) {
      await using proxy = await amqpProxy(broker.port);
      const queue = `steps-${type}-${act}-${step}`;
      queues.push(queue);
      await using server = serve(options(queue, proxy.port));
      await server.listening();
      proxy.afterDelivery(step, () => server.kill("SIGKILL"));
      channel.sendToQueue(queue, Buffer.from(JSON.stringify({ n: step, act })), { persistent: true, messageId: queue });
      await channel.waitForConfirms();
      const hasLeft = async (): Promise<boolean> =>
        act === "retry" ? done(readJournal(journal)).includes(step) : (await ready(model, `${queue}.dead`)) >= 1;
      await until("the step, or the end", async () => proxy.hasStepped || (await hasLeft()), { timeoutMs: 60_000 });
      reached = proxy.hasStepped;
    }
    await channel.close();
    await using last = serve(options(queues.join(","), broker.port));
    await last.listening();
    const lost = async (): Promise<string[]> => {
      const handled = new Set(done(readJournal(journal)));
      const left = await Promise.all(
        queues.map(async (queue) =>
          act === "retry" ? handled.has(Number(queue.split("-").at(-1))) : (await ready(model, `${queue}.dead`)) >= 1,
        ),
      );
      return queues.filter((_queue, index) => left[index] === false);
    };
    await until("all to have left", async () => (await lost()).length === 0, {
      timeoutMs: 90_000,
      describe: () => last.stdout().slice(-3000),
    });
    figures(`a kill at each of ${queues.length - 1} steps of ${what}, ${type}`, {
      lost: await lost(),
      twice: twice(readJournal(journal)).length,
    });
  });
});
