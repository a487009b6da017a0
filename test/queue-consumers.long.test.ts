import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { freePort, makeTemporaryFolder, spawnTsserve, until, type TemporaryFolder } from "@tsserve/testing";
import type { ChannelModel, GetMessage } from "amqplib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { consumersOf, type Consume } from "./support/consume.ts";
import { done, twice } from "./support/journal.ts";
import { closeConsumers, fill, noRabbitmq, ready, sendTo, startRabbitmq, type Rabbitmq } from "./support/rabbitmq.ts";
import { run } from "./support/run.ts";
import { iniOf, serve } from "./support/serve.ts";

if (noRabbitmq !== undefined) console.log(`queue-consumers.long.test.ts ${noRabbitmq}`);

describe.skipIf(noRabbitmq !== undefined)("RabbitMQ", () => {
  let broker: Rabbitmq;
  let model: ChannelModel;
  let folder: TemporaryFolder;
  let consume: Consume;

  beforeAll(async () => {
    broker = await startRabbitmq();
    model = await broker.connectLoosely();
    folder = makeTemporaryFolder({});
    consume = consumersOf(broker, folder.path);
  });

  afterAll(async () => {
    await model?.close().catch(() => undefined);
    await broker?.[Symbol.asyncDispose]();
    folder?.remove();
  });

  /** Waits for a message of a queue that may not be there yet. */
  function taken(queue: string): Promise<GetMessage> {
    return until(`a message in ${queue}`, async () => {
      if ((await ready(model, queue)) < 1) return false;
      const channel = await model.createChannel();
      const message = await channel.get(queue, { noAck: true });
      await channel.close();
      return message;
    });
  }

  test("a stop in the middle loses nothing, runs nothing twice, and flags nothing as redelivered", async () => {
    await using first = consume({}, { sleep: "20" });
    await first.listening();
    await fill(model, first.queue, 300);
    await until("the first to be busy", () => done(first.runs()).length > 30);
    first.kill();
    expect((await first.exited()).code).toBe(0);
    await using second = consume({}, { queue: first.queue, sleep: "1" });
    await until("all to be handled", () => new Set(done(second.runs())).size === 300, { describe: second.stdout });
    expect(twice(second.runs())).toEqual([]);
    expect(second.runs().filter(({ redelivered }) => redelivered)).toEqual([]);
    await until("the queue to be empty", async () => (await ready(model, first.queue)) === 0);
  });

  test("what fails comes back after its delays, then is a dead letter with reason and origin; what asks for it comes back", async () => {
    await using server = consume({ server: { retry_limit: "2", retry_delay: "100 milliseconds, 200 milliseconds" } }, { keys: "fail.*" });
    await server.listening();
    const channel = await model.createConfirmChannel();
    const body = (n: number, act: string): Buffer => Buffer.from(JSON.stringify({ n, act }));
    channel.publish("amq.topic", "fail.one", body(1, "throw"), {
      messageId: "one",
      headers: { mine: "kept", CC: [`${server.queue}.dead`] },
    });
    channel.publish("amq.topic", "fail.two", body(2, "retry"), {});
    await channel.waitForConfirms();
    // The header CC routes: kept in the copy, it would put another one among the dead letters for each retry.
    const dead = await taken(`${server.queue}.dead`);
    expect(dead.properties.headers).toMatchObject({
      mine: "kept",
      "x-dead-reason": "retries",
      "x-retry-count": 3,
      "x-retry-limit": 2,
      "x-original-queue": server.queue,
      "x-original-exchange": "amq.topic",
      "x-original-routing-key": "fail.one",
    });
    expect(dead.properties.messageId).toBe("one");
    const { "x-last-error": lastError } = dead.properties.headers ?? {};
    expect(lastError).toMatch(/^Error: no luck/);
    expect(lastError).not.toContain("verysecret");
    await until("the second to be handled", () => done(server.runs()).includes(2));
    const begun = server.runs().filter(({ what }) => what === "begun");
    expect(begun.filter(({ n }) => n === 1).map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(begun.filter(({ n }) => n === 2).map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    const [first, second, third] = begun.filter(({ n }) => n === 1).map(({ at }) => at) as [number, number, number];
    expect(second - first).toBeGreaterThanOrEqual(100);
    expect(third - second).toBeGreaterThanOrEqual(200);
    expect(await ready(model, `${server.queue}.dead`)).toBe(0);
  });

  test("what no retry can help is a dead letter at once, and no handler sees what it can't read", async () => {
    await using server = consume({ server: { max_message_size: "1K" } });
    await server.listening();
    const dead = `${server.queue}.dead`;
    const cases: [string, string | Buffer, Record<string, unknown>?][] = [
      ["unparseable", "{"],
      ["unparseable", Buffer.from([0x22, 0xff, 0x22])],
      ["unparseable", ""],
      ["oversized", JSON.stringify({ n: "x".repeat(2000) })],
      ["rejected", JSON.stringify({ n: 1, act: "reject" })],
      ["expired", JSON.stringify({ n: 2 }), { headers: { "x-ttl": 1000 } }],
    ];
    for (const [reason, body, properties] of cases) {
      await sendTo(model, server.queue, body, properties);
      expect((await taken(dead)).properties.headers?.["x-dead-reason"]).toBe(reason);
    }
    expect(server.runs().map(({ n }) => n)).toEqual([1]);
  });

  test("a handler that takes too long counts as failed; one that never ends is cut at the deadline, and its message goes back", async () => {
    await using server = consume({ server: { message_timeout: "0.5", retry_limit: "0" } }, { deaf: "true" });
    await server.listening();
    await sendTo(model, server.queue, JSON.stringify({ n: 1, act: "hang" }));
    expect((await taken(`${server.queue}.dead`)).properties.headers?.["x-last-error"]).toContain("message_timeout");
    server.kill();
    expect((await server.exited()).code).toBe(0);

    await using stuck = consume({ server: { stop_timeout: "1" } }, { deaf: "true" });
    await stuck.listening();
    await sendTo(model, stuck.queue, JSON.stringify({ n: 1, act: "hang" }), { messageId: "the-stuck-one" });
    await until("the handler to run", () => stuck.runs().length === 1);
    stuck.kill();
    expect((await stuck.exited()).code).toBe(1);
    expect(await stuck.log(/was cut/)).toMatchObject({ message_id: "the-stuck-one" });
    await until("the message to be back", async () => (await ready(model, stuck.queue)) === 1);
  });

  test("a stop in the middle of the start, whatever the broker does, ends soon, and leaves no consumer behind", async () => {
    const silent = createServer((socket) => void socket.on("error", () => undefined).resume()).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const silentPort = String((silent.address() as AddressInfo).port);
    const queue = `own${Math.random().toString(36).slice(2)}`;
    await Promise.all(
      [{}, {}, {}, { "amqp.port": silentPort }].map(async (settings, index) => {
        await using server = consume({ server: settings, args: ["--log-level", "debug"] }, { queue });
        await server.log(/^started$/);
        await new Promise((resolve) => setTimeout(resolve, 30 * index));
        server.kill();
        expect((await server.exited(15_000)).code).toBe(0);
      }),
    );
    silent.close();
    await until("no consumer to be left", async () => {
      const consumers = await broker.query("list_consumers", "queue_name");
      return !consumers.some((line) => line.includes(queue));
    });
  });

  test("a FatalError gives its message back, and ends the server with 1", async () => {
    await using server = consume();
    await server.listening();
    await sendTo(model, server.queue, JSON.stringify({ n: 1, act: "fatal" }));
    expect((await server.exited()).code).toBe(1);
    expect(server.stdout()).toContain("the disk is gone");
    await until("the message to be back", async () => (await ready(model, server.queue)) === 1);
    expect(server.runs()).toHaveLength(1);
  });

  test("a connection that is closed, and a queue that is deleted, end in a subscription again; what ran is not run twice", async () => {
    await using server = consume({}, { sleep: "300" });
    await server.listening();
    await fill(model, server.queue, 20);
    await until("handlers to run", () => server.runs().length >= 5);
    const count = (begin: string): number => server.logs().filter(({ msg }) => msg.startsWith(begin)).length;
    const [lost, had] = ["the subscription is gone", "consuming from"];
    await closeConsumers(broker, () => count(lost) > 0, server.stdout);
    await until("all to be handled", () => new Set(done(server.runs())).size === 20, { timeoutMs: 60_000, describe: server.stdout });
    await until("the queue to be empty", async () => (await ready(model, server.queue)) === 0);
    expect(twice(server.runs())).toEqual([]);
    await until("the subscription", () => count(had) === count(lost) + 1);
    const errors = server.logs().filter(({ level }) => level === "error");
    expect(errors.filter(({ msg }) => !msg.startsWith(lost))).toEqual([]);
    expect(errors).toHaveLength(count(lost));
    const before = count(had);
    const channel = await model.createChannel();
    await channel.deleteQueue(server.queue);
    await channel.close();
    await until("the queue to be declared anew", () => count(had) > before);
    await fill(model, server.queue, 1, { from: 100 });
    await until("a message of the new queue", () => done(server.runs()).includes(100));
  });

  test("a message that kills the worker of an ordered consumer holds up the others, on a classic queue for ever, and each worker names it", async () => {
    await using server = consume({ args: ["--workers", "1"] }, { ordered: "true" });
    await server.listening();
    await sendTo(model, server.queue, JSON.stringify({ n: 1, act: "die" }), { messageId: "the-deadly-one" });
    await sendTo(model, server.queue, JSON.stringify({ n: 2 }));
    const told = await until(
      "two workers to have told of it",
      () => {
        const lines = server.logs().filter(({ msg }) => /nothing is known of its last run/.test(msg));
        return new Set(lines.map(({ pid }) => pid)).size >= 2 ? lines : undefined;
      },
      { timeoutMs: 60_000, describe: server.stdout },
    );
    expect(new Set(told.map(({ message_id }) => message_id))).toEqual(new Set(["the-deadly-one"]));
    expect(new Set(server.runs().map(({ n }) => n))).toEqual(new Set([1]));
    // Taken out by hand, it holds up nobody.
    server.kill();
    await server.exited(40_000);
    const channel = await model.createChannel();
    const first = await until("it to be back", async () => (await channel.get(server.queue, { noAck: true })) || undefined);
    expect(first.properties.messageId).toBe("the-deadly-one");
    await channel.close();
    await using next = consume({}, { queue: server.queue, ordered: "true" });
    await until("the other to be handled", () => done(next.runs()).includes(2), { timeoutMs: 60_000, describe: next.stdout });
  });

  test("health, routes and check; check connects to nothing", async () => {
    await using server = consume({}, { keys: "a.*, b" });
    const base = await server.listening();
    const answer = await fetch(`${base}/health`);
    expect([answer.status, await answer.json()]).toEqual([200, { status: "ok" }]);
    expect((await fetch(`${base}/orders`)).status).toBe(404);
    const nobody = String(await freePort());
    const files = {
      "app.ini": iniOf({
        app: "consumer.mjs",
        server: { factory: "tsserve/queue", "amqp.port": nobody, "amqp.password": "hunter2" },
        config: { queue: "x", keys: "a.*, b", journal: "j" },
      }),
    };
    expect((await run(files, ["routes", "app.ini"])).stdout).toBe("AMQP  a.*, b → x\n");
    const { code, stdout } = await run(files, ["check", "app.ini"]);
    expect(code).toBe(0);
    expect(stdout).not.toContain("hunter2");
    expect(stdout).toContain("; stop_timeout = 30 seconds");
  });

  test("the samples of docs/queues.md run, and so does the example", async () => {
    const page = readFileSync(new URL("../docs/queues.md", import.meta.url), "utf8");
    const samples = Object.fromEntries(
      [...page.matchAll(/```(?:js|ini)\n(?:\/\/|;) (\S+)\n([^]*?)```/g)].map(([, name = "", text = ""]) => [name, text]),
    );
    const web = samples["web.js"]?.replace('"tsserve/queue"', JSON.stringify(import.meta.resolve("tsserve/queue"))) ?? "";
    const webIni =
      "[server:main]\nfactory = tsserve/http\nmetrics.enabled = false\n[app:main]\nfactory = ./web.js\namqp.port = $RABBITMQ_PORT\n";
    const files = makeTemporaryFolder({ ...samples, "package.json": '{"type":"module"}', "web.js": web, "web.ini": webIni });
    const env = { RABBITMQ_PORT: String(broker.port) };
    const args = ["--bind", "127.0.0.1:0"];
    try {
      await using consumer = spawnTsserve({ args: ["queue.ini", ...args], cwd: files.path, env });
      await using publisher = spawnTsserve({ args: ["web.ini", ...args], cwd: files.path, env });
      await consumer.listening();
      expect(await (await fetch(await publisher.listening())).text()).toBe("thank you\n");
      await consumer.log(/^an order$/);
      const routes = await run({}, ["routes", "queue.ini"], { cwd: files.path });
      expect(page).toContain(`$ npx tsserve routes queue.ini\n${routes.stdout}`);
      consumer.kill();
      expect((await consumer.exited()).code).toBe(0);
      const example = fileURLToPath(new URL("../examples/queue", import.meta.url));
      await using shop = spawnTsserve({ args: ["app.ini", ...args], cwd: example, env });
      await using web2 = spawnTsserve({ args: ["app.ini", "--server-name", "web", "--app-name", "web", ...args], cwd: example, env });
      await shop.listening();
      expect((await fetch(`${await web2.listening()}/orders/tea`, { method: "POST" })).status).toBe(202);
      await shop.log(/Thank you for your order: tea/);
    } finally {
      files.remove();
    }
  });

  test("what the broker refuses is said in its own words, without the password, and exits 3", async () => {
    const nobody = String(await freePort());
    const server = { factory: "tsserve/queue", ...broker.settings, start_timeout: "8", "amqp.password": "guest" };
    const cases: [Record<string, string>, RegExp][] = [
      [{ "amqp.password": "hunter22" }, /refuses the login of "guest": see amqp\.login and amqp\.password/],
      [{ "amqp.virtualhost": "/nowhere" }, /no virtual host "\/nowhere"/],
      [
        { "amqp.port": nobody, start_timeout: "1" },
        /no subscription for "x" within start_timeout: RabbitMQ at 127\.0\.0\.1:\d+ refuses connections/,
      ],
      [{ "amqp.host": "nowhere.invalid", start_timeout: "1" }, /the host nowhere\.invalid of RabbitMQ has no address/],
      [{ "amqp.ssl": "true" }, /does not speak TLS at this port/],
      [{ "amqp.declare": "off" }, /the queue "x" does not exist, and amqp\.declare is off/],
    ];
    await Promise.all(
      cases.map(async ([settings, message]) => {
        const files = {
          "app.ini": iniOf({ app: "consumer.mjs", server: { ...server, ...settings }, config: { queue: "x", journal: "j" } }),
        };
        const { code, stderr } = await run(files, ["app.ini", "--bind", "127.0.0.1:0"]);
        expect([code, stderr]).toEqual([3, expect.stringMatching(message)]);
        expect(stderr).not.toContain("hunter22");
      }),
    );
  });

  test("an HTTP app publishes: confirmed, in the trace of its request, and told what was not delivered", async () => {
    const published = `published${Math.random().toString(36).slice(2)}`;
    const channel = await model.createChannel();
    await channel.assertQueue(published, { durable: true });
    await channel.bindQueue(published, "amq.topic", "pre-order.*");
    await using server = serve({
      app: "publisher.mjs",
      server: { "metrics.enabled": "false" },
      config: { ...broker.settings, "amqp.routing_key_prefix": "pre-" },
    });
    const base = await server.listening();
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const publish = async (...args: unknown[]): Promise<Record<string, unknown>> => {
      const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
      const response = await fetch(base, { method: "POST", headers, body: JSON.stringify({ by: "amqp", args }) });
      return (await response.json()) as Record<string, unknown>;
    };
    expect(await publish("order.new", { n: 1 })).toEqual({ ok: true });
    const message = await taken(published);
    expect(message.content.toString()).toBe('{"n":1}');
    expect(message.properties.headers?.["traceparent"]).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    expect(message.properties).toMatchObject({
      deliveryMode: 2,
      contentType: "application/json",
      messageId: expect.stringMatching(/-/),
      timestamp: expect.any(Number),
    });
    const refusals: [unknown[], object][] = [
      [["nobody.wants", 1], { code: "NO_ROUTE", mayHaveBeenSent: false, message: expect.stringContaining('"pre-nobody.wants"') }],
      [["nowhere", 1, { exchange: "" }], { code: "NO_ROUTE" }],
      [["x", 1, { exchange: "amq.nonsense" }], { code: "REFUSED", mayHaveBeenSent: false }],
      [["x", 1, { timeout: "soon" }], { ok: false }],
    ];
    for (const [args, expected] of refusals) expect(await publish(...args)).toMatchObject({ ok: false, ...expected });
    expect(await Promise.all(Array.from({ length: 50 }, (_, n) => publish(n % 2 === 0 ? "order.x" : "nobody.x", { n })))).toEqual(
      Array.from({ length: 50 }, (_, n) => expect.objectContaining({ ok: n % 2 === 0 })),
    );
    broker.ctl("set_vm_memory_high_watermark", "0.00001");
    try {
      const told = await until("it to be told", async () => {
        const answer = await publish("order.late", 1, { timeout: 500 });
        return answer["code"] === "UNAVAILABLE" ? answer : undefined;
      });
      expect(told).toMatchObject({ ok: false, mayHaveBeenSent: false, message: expect.stringContaining("low on memory") });
    } finally {
      broker.ctl("set_vm_memory_high_watermark", "0.4");
    }
    await until("it to be published again", async () => (await publish("order.again", 2))["ok"]);
    server.kill();
    expect((await server.exited()).code).toBe(0);
  });
});
