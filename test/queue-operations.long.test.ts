import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createServer } from "node:tls";
import { freePort, makeTemporaryFolder, until, type TemporaryFolder } from "@tsserve/testing";
import type { ChannelModel } from "amqplib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collect } from "./support/collector.ts";
import { consumersOf, type Consume } from "./support/consume.ts";
import { done } from "./support/journal.ts";
import { fill, noRabbitmq, startRabbitmq, type Rabbitmq } from "./support/rabbitmq.ts";
import { run } from "./support/run.ts";
import { iniOf, serve } from "./support/serve.ts";
import { certificate, pem } from "./support/tls.ts";

if (noRabbitmq !== undefined) console.log(`queue-operations.long.test.ts ${noRabbitmq}`);

describe.skipIf(noRabbitmq !== undefined)("RabbitMQ, as it is run", () => {
  let broker: Rabbitmq;
  let model: ChannelModel;
  let folder: TemporaryFolder;
  let tlsPort: number;
  let consume: Consume;

  beforeAll(async () => {
    tlsPort = await freePort();
    broker = await startRabbitmq([
      `listeners.ssl.default = 127.0.0.1:${tlsPort}`,
      `ssl_options.cacertfile = ${certificate("ca")}`,
      `ssl_options.certfile = ${certificate("localhost")}`,
      `ssl_options.keyfile = ${certificate("localhost.key")}`,
      "ssl_options.verify = verify_peer",
      "ssl_options.fail_if_no_peer_cert = true",
    ]);
    model = await broker.connect();
    folder = makeTemporaryFolder({});
    consume = consumersOf(broker, folder.path);
  });

  afterAll(async () => {
    await model?.close().catch(() => undefined);
    await broker?.[Symbol.asyncDispose]();
    folder?.remove();
  });

  const tls = (): Record<string, string> => ({
    "amqp.port": String(tlsPort),
    "amqp.ssl": "true",
    "amqp.ssl_ca": certificate("ca"),
    "amqp.ssl_cert": certificate("client"),
    "amqp.ssl_key": certificate("client.key"),
  });

  test("a process that consumes from RabbitMQ alone has not loaded AWS's SDK", async () => {
    const server = { factory: "tsserve/queue", ...broker.settings };
    await using served = serve({ app: "loaded-libraries.mjs", server, config: { system: "amqp", queue: "loaded" } });
    await served.listening();
    await fill(model, "loaded", 1);
    const told = await until("a message", () => /LOADED (.*)\./.exec(served.stdout())?.[1], { describe: served.stdout });
    expect(told).toBe("amqplib");
  });

  test("a broker with TLS that asks for our certificate: consumed from, retried on, and had again after a lost connection", async () => {
    await using server = consume({ server: { ...tls(), retry_delay: "100 milliseconds" } });
    await server.listening();
    await fill(model, server.queue, 20);
    const channel = await model.createConfirmChannel();
    channel.sendToQueue(server.queue, Buffer.from(JSON.stringify({ n: 100, act: "retry" })), { persistent: true });
    await channel.waitForConfirms();
    await until("all to be handled", () => new Set(done(server.runs())).size === 21, { describe: server.stdout });
    broker.ctl("close_all_connections", "a test");
    await server.log(/the subscription is gone/);
    model = await broker.connect();
    await fill(model, server.queue, 5, { from: 200 });
    await until("more to be handled", () => new Set(done(server.runs())).size === 26, { describe: server.stdout });
    server.kill();
    expect((await server.exited()).code).toBe(0);
  });

  test("each thing that is wrong with certificates has its own sentence, exits 3, and tells no password", async () => {
    const garbage = join(folder.path, "garbage.pem");
    writeFileSync(garbage, "nothing of the kind\n");
    await using expired = await tlsServer("expired");
    await using elsewhere = await tlsServer("api");
    const base = tls();
    const cases: readonly [string, Record<string, string>, RegExp, number?][] = [
      ["wrong authority", { "amqp.ssl_ca": certificate("stranger") }, /certificate of an authority that we don't know: see amqp\.ssl_ca/],
      ["wrong name", { "amqp.port": elsewhere.port }, /certificate for other names than that: see amqp\.host/],
      ["expired", { "amqp.port": expired.port }, /certificate that has expired/],
      ["none of ours", { "amqp.ssl_cert": "", "amqp.ssl_key": "" }, /asks for a certificate of ours: see amqp\.ssl_cert and amqp\.ssl_key/],
      [
        "a stranger's",
        { "amqp.ssl_cert": certificate("stranger"), "amqp.ssl_key": certificate("stranger.key") },
        /does not know the authority of our certificate|does not accept our certificate/,
      ],
      [
        "ours is expired",
        { "amqp.ssl_cert": certificate("expired"), "amqp.ssl_key": certificate("expired.key") },
        /our certificate has expired|does not accept our certificate/,
      ],
      ["another's key", { "amqp.ssl_key": certificate("localhost.key") }, /amqp\.ssl_key: the file .* is not the key of the certificate/],
      ["no PEM", { "amqp.ssl_cert": garbage }, /amqp\.ssl_cert: the file .*garbage\.pem can't be used: it is no PEM file/],
      ["no authority", { "amqp.ssl_ca": garbage }, /amqp\.ssl_ca: the file .* holds no certificate/],
      ["no file", { "amqp.ssl_ca": "./nowhere.pem" }, /amqp\.ssl_ca: the file .*nowhere\.pem can't be used: ENOENT/],
      [
        "plain where TLS is",
        { ...off, "amqp.port": String(tlsPort) },
        /closed the connection while it was being opened; if the port expects TLS/,
      ],
      ["TLS where plain is", { ...broker.settings }, /does not speak TLS at this port/],
      ["no TLS, but its files", { "amqp.ssl": "false" }, /amqp\.ssl_ca: needs amqp\.ssl = true/, 2],
      ["no key", { "amqp.ssl_key": "" }, /amqp\.ssl_cert: needs amqp\.ssl_key, too/, 2],
    ];
    for (const [what, settings, sentence, expected = 3] of cases) {
      const server = { factory: "tsserve/queue", start_timeout: "4", "amqp.password": "hunter22", ...base, ...settings };
      const files = { "app.ini": iniOf({ app: "consumer.mjs", server, config: { queue: "x", journal: "j" } }) };
      const { code, stdout, stderr } = await run(files, ["app.ini", "--bind", "127.0.0.1:0"]);
      expect([what, code, stderr]).toEqual([what, expected, expect.stringMatching(sentence)]);
      expect(stdout + stderr).not.toContain("hunter22");
    }
  });

  test("ctl status and the page tell of messages; baseplate's metrics stand beside ours", async () => {
    const metrics = await freePort();
    const server = {
      "metrics.enabled": "true",
      "metrics.endpoint": `127.0.0.1:${metrics}`,
      "metrics.baseplate_names": "true",
      control_socket: "./ctl.sock",
      retry_limit: "1",
      retry_delay: "50 milliseconds",
    };
    await using consumer = consume({ args: ["--workers", "1"], server });
    await consumer.listening();
    await fill(model, consumer.queue, 30);
    const channel = await model.createConfirmChannel();
    channel.sendToQueue(consumer.queue, Buffer.from(JSON.stringify({ n: 100, act: "throw" })), { persistent: true });
    channel.sendToQueue(consumer.queue, Buffer.from("{"), { persistent: true });
    await channel.waitForConfirms();
    await until("all to be handled", () => done(consumer.runs()).length === 30);
    const status = await until("the dead letters", async () => {
      const { stdout } = await run({}, ["ctl", "status", "--json", "--socket", join(consumer.folder, "ctl.sock")]);
      const { workers } = JSON.parse(stdout) as { workers: { messages?: { dead_total: number; retries_total: number } }[] };
      return workers[0]?.messages?.dead_total === 2 ? workers[0].messages : undefined;
    });
    expect(status).toMatchObject({ retries_total: 1, dead_total: 2, per_second: expect.any(Number) as number });
    const { stdout } = await run({}, ["ctl", "status", "--socket", join(consumer.folder, "ctl.sock")]);
    expect(stdout).toMatch(/LOOP +MSG\/S +LAG +RETRIES +DEAD\n/);
    const base = `http://127.0.0.1:${metrics}`;
    const overview = await until("the page", async () => {
      const { queues } = (await (await fetch(`${base}/metrics.json`)).json()) as { queues: { dead: number }[] };
      return queues[0]?.dead === 2 ? queues : undefined;
    });
    expect(overview).toMatchObject([{ name: consumer.queue, queue: consumer.queue, active: 0, connected: 1, retries: 1, lag_count: 30 }]);
    const text = await (await fetch(`${base}/metrics`)).text();
    const labels = `amqp_address="127.0.0.1:${broker.port}",amqp_virtual_host="/",amqp_exchange_name="",amqp_routing_key="${consumer.queue}"`;
    const sorted = labels.split(",").sort().join(",");
    const has = (name: string, value: number): void =>
      expect(
        text.split("\n").filter((line) => line.startsWith(`${name}{`) && sorted.split(",").every((label) => line.includes(label))),
        name,
      ).toContainEqual(expect.stringMatching(new RegExp(` ${value}$`)));
    has("amqp_consumer_messages_republished_total", 1);
    has("amqp_consumer_messages_rejected_total", 1);
    has("amqp_consumer_messages_processed_total", 30);
    has("amqp_consumer_active_messages", 0);
    has("amqp_consumer_message_processing_time_seconds_count", 30);
  });

  test("one trace from a request over what it publishes to the consumer's span; what nobody has decided on is sampled by all alike", async () => {
    await using collector = await collect();
    const traced = { "tracing.endpoint": collector.url, "tracing.sample": "50%" };
    await using consumer = consume({ server: { ...traced, "tracing.service_name": "consumer" } });
    await using publisher = serve({
      app: "publisher.mjs",
      server: { "metrics.enabled": "false", ...traced, "tracing.service_name": "publisher" },
      config: broker.settings,
    });
    await consumer.listening();
    const url = await publisher.listening();
    const publish = async (n: number, headers: Record<string, string> = {}): Promise<void> => {
      const body = JSON.stringify({ by: "amqp", args: [consumer.queue, { n }, { exchange: "" }] });
      expect(await (await fetch(url, { method: "POST", headers, body })).json()).toEqual({ ok: true });
    };
    const ids = { yes: "0af7651916cd43dd8448eb211c80319c", no: "0af7651916cd43dd8448eb211c80319d" };
    await publish(0, { traceparent: `00-${ids.yes}-b7ad6b7169203331-01`, tracestate: "vendor=1" });
    await publish(1, { traceparent: `00-${ids.no}-b7ad6b7169203331-00` });
    for (let n = 2; n < 42; n += 1) await publish(n);
    await until("all to be handled", () => done(consumer.runs()).length === 42, { describe: consumer.stdout });
    for (const server of [publisher, consumer]) {
      server.kill();
      expect((await server.exited()).code).toBe(0);
    }
    const [requests, messages] = [collector.spans.filter(({ kind }) => kind === 2), collector.spans.filter(({ kind }) => kind === 5)];
    const request = requests.find(({ traceId }) => traceId === ids.yes);
    const message = messages.find(({ traceId }) => traceId === ids.yes);
    expect(request).toMatchObject({ parentId: "b7ad6b7169203331", service: "publisher" });
    expect(message).toMatchObject({ parentId: request?.spanId, service: "consumer", name: `process ${consumer.queue}` });
    expect(message?.attributes).toMatchObject({ "messaging.system": "rabbitmq", "messaging.destination.name": consumer.queue });
    expect(collector.spans.filter(({ traceId }) => traceId === ids.no)).toEqual([]);
    // Some of the forty are recorded and some are not: each by both sides, or by none.
    const spanIds = new Set(requests.map(({ spanId }) => spanId));
    expect(messages.filter(({ parentId }) => !spanIds.has(parentId))).toEqual([]);
    expect(messages.length).toBe(requests.length);
    expect([messages.length > 1, messages.length < 41]).toEqual([true, true]);
  });
});

const off = { "amqp.ssl": "false", "amqp.ssl_ca": "", "amqp.ssl_cert": "", "amqp.ssl_key": "" };

/** Shows a certificate, and says nothing. */
async function tlsServer(name: string): Promise<AsyncDisposable & { readonly port: string }> {
  const server = createServer({ cert: pem(name), key: pem(`${name}.key`) }, (socket) => socket.on("error", () => undefined));
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: String((server.address() as AddressInfo).port),
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
    },
  };
}
