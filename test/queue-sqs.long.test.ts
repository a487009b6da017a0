import { join } from "node:path";
import { makeTemporaryFolder, until, type TemporaryFolder } from "@tsserve/testing";
import {
  CreateQueueCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { startFauxqs, type FauxqsServer } from "fauxqs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { done, readJournal, twice, type Run } from "./support/journal.ts";
import { faultProxy, type FaultProxy } from "./support/fault-proxy.ts";
import { run } from "./support/run.ts";
import { iniOf, serve, type ServeOptions, type Served } from "./support/serve.ts";

/** By hand, with more stops: TSSERVE_QUEUE_ROUNDS=50. */
const rounds = Number(process.env["TSSERVE_QUEUE_ROUNDS"] ?? 3);

describe("SNS and SQS", () => {
  let aws: FauxqsServer;
  let sqs: SQSClient;
  let sns: SNSClient;
  let folder: TemporaryFolder;
  let lastQueue = 0;
  const client = { region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "verysecret" } };

  beforeAll(async () => {
    aws = await startFauxqs({ port: 0, logger: false });
    sqs = new SQSClient({ ...client, endpoint: aws.address });
    sns = new SNSClient({ ...client, endpoint: aws.address });
    folder = makeTemporaryFolder({});
  });

  afterAll(async () => {
    sqs?.destroy();
    sns?.destroy();
    await aws?.stop();
    folder?.remove();
  });

  const settings = (endpoint = aws.address): Record<string, string> => ({
    factory: "tsserve/queue",
    "metrics.enabled": "false",
    "aws_sns_sqs.region_name": "us-east-1",
    "aws_sns_sqs.aws_access_key_id": "test",
    "aws_sns_sqs.aws_secret_access_key": "verysecret",
    "aws_sns_sqs.wait_time": "1",
    "aws_endpoint_urls.sns": endpoint,
    "aws_endpoint_urls.sqs": endpoint,
  });

  function consume(own: Record<string, string> = {}, options: ServeOptions = {}): Served & { queue: string; runs(): Run[] } {
    const queue = own["queue"] ?? `q${(lastQueue += 1)}`;
    const journal = join(folder.path, `${queue}.jsonl`);
    const served = serve({
      ...options,
      app: "consumer-sqs.mjs",
      server: { ...settings(), ...options.server },
      config: { ...own, queue, journal },
    });
    return Object.assign(served, { queue, runs: () => readJournal(journal) });
  }

  const urlOf = async (queue: string): Promise<string> => (await sqs.send(new GetQueueUrlCommand({ QueueName: queue }))).QueueUrl ?? "";

  async function fill(
    queue: string,
    count: number,
    { from: first = 0, groups = 0 }: { readonly from?: number; readonly groups?: number } = {},
  ): Promise<void> {
    const QueueUrl = await urlOf(queue);
    for (let from = 0; from < count; from += 10) {
      const Entries = Array.from({ length: Math.min(10, count - from) }, (_, index) => {
        const n = first + from + index;
        const fifo = groups === 0 ? {} : { MessageGroupId: `g${n % groups}`, MessageDeduplicationId: String(n) };
        return { Id: String(index), MessageBody: JSON.stringify({ n }), ...fifo };
      });
      await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    }
  }

  const send = async (queue: string, body: string): Promise<void> => {
    await sqs.send(new SendMessageCommand({ QueueUrl: await urlOf(queue), MessageBody: body }));
  };

  const isEmpty = (queue: string): boolean => {
    const { messages } = aws.inspectQueue(queue) ?? { messages: { ready: [0], inflight: [], delayed: [] } };
    return messages.ready.length + messages.inflight.length + messages.delayed.length === 0;
  };

  test("a process that consumes from SQS without topics has loaded neither amqplib nor the SDK for SNS", async () => {
    await using served = serve({ app: "loaded-libraries.mjs", server: settings(), config: { system: "sqs", queue: "loaded" } });
    await served.listening();
    await fill("loaded", 1);
    const told = await until("a message", () => /LOADED (.*)\./.exec(served.stdout())?.[1], { describe: served.stdout });
    expect(told).toBe("@aws-sdk/client-sqs");
  });

  test("stops under load lose nothing, run nothing twice, and leave nothing that nobody has", async () => {
    let queue: string | undefined;
    let sent = 0;
    for (let round = 0; round < rounds; round += 1) {
      await using server = consume({ sleep: "5", ...(queue === undefined ? {} : { queue }) });
      await server.listening();
      queue = server.queue;
      await fill(queue, 100, { from: sent });
      sent += 100;
      await until("it to be busy", () => server.runs().some(({ pid, what }) => pid === server.pid && what === "done"));
      server.kill();
      expect((await server.exited()).code).toBe(0);
      expect(aws.inspectQueue(queue)?.messages.inflight).toEqual([]);
    }
    await using last = consume(queue === undefined ? {} : { queue });
    const handled = (): number => new Set(done(last.runs())).size;
    await until("all to be handled", () => handled() === sent, { timeoutMs: 300_000, describe: () => `${handled()} of ${sent}` });
    await until("the queue to be empty", () => isEmpty(last.queue));
    console.log(`${rounds} stops under load: ${JSON.stringify({ messages: sent, twice: twice(last.runs()).length })}`);
    expect(twice(last.runs())).toEqual([]);
  });

  test("a handler that takes longer than the visibility runs once", async () => {
    // It is made invisible again after half of its time: a machine that stands still must not do so for the other half.
    await using server = consume({ visibility: "3 seconds", sleep: "7000" });
    await server.listening();
    await fill(server.queue, 3);
    await until("all to be handled", () => done(server.runs()).length === 3, { timeoutMs: 60_000 });
    await until("the queue to be empty", () => isEmpty(server.queue));
    expect(server.runs().filter(({ what }) => what === "begun")).toHaveLength(3);
  });

  test("a FIFO queue keeps the order of each group over stops and failures", async () => {
    let queue: string | undefined;
    for (let round = 0; round < 3; round += 1) {
      await using server = consume({ fifo: "true", sleep: "10", ...(queue === undefined ? {} : { queue }) });
      await server.listening();
      queue = server.queue;
      if (round === 0) await fill(`${queue}.fifo`, 120, { groups: 3 });
      await until("it to be busy", () => done(server.runs()).length > 15 * round + 5 || done(server.runs()).length === 120);
      server.kill();
      expect((await server.exited()).code).toBe(0);
    }
    await using last = consume({ fifo: "true", ...(queue === undefined ? {} : { queue }) });
    await until("all to be handled", () => done(last.runs()).length >= 120, { timeoutMs: 30_000, describe: last.stdout });
    expect(twice(last.runs())).toEqual([]);
    const order = done(last.runs());
    for (const group of [0, 1, 2]) {
      const ofGroup = order.filter((n) => n % 3 === group);
      expect(ofGroup).toEqual([...ofGroup].sort((a, b) => a - b));
    }
  });

  test("what fails comes back, what no retry can help is a dead letter with its reason; topics come with their attributes", async () => {
    for (const raw of ["false", "true"]) {
      await using server = consume({ topics: `signed-up-${raw}`, raw }, { server: { retry_delay: "1 second", max_message_size: "1K" } });
      await server.listening();
      const TopicArn = `arn:aws:sns:us-east-1:000000000000:signed-up-${raw}`;
      const MessageAttributes = { colour: { DataType: "String", StringValue: "red" } };
      await sns.send(new PublishCommand({ TopicArn, Message: JSON.stringify({ n: 1 }), MessageAttributes }));
      const handled = await until("the topic's message", () => server.runs().find(({ n }) => n === 1), { describe: server.stdout });
      expect(handled).toMatchObject({ headers: { colour: "red" }, ...(raw === "true" ? {} : { topic: `signed-up-${raw}` }) });
      await send(server.queue, JSON.stringify({ n: 2, act: "fail" }));
      await until("the third attempt", () => done(server.runs()).includes(2), { describe: server.stdout });
      expect(
        server
          .runs()
          .filter(({ n, what }) => n === 2 && what === "begun")
          .map(({ attempt }) => attempt),
      ).toEqual([1, 2, 3]);
      for (const [body, reason] of [
        ["{", "unparseable"],
        [JSON.stringify({ n: "x".repeat(2000) }), "oversized"],
        [JSON.stringify({ n: 3, act: "reject" }), "rejected"],
      ] as const) {
        await send(server.queue, body);
        const dead = await until("a dead letter", async () => {
          const url = await urlOf(`${server.queue}-dead`).catch(() => undefined);
          if (url === undefined) return undefined;
          const { Messages } = await sqs.send(
            new ReceiveMessageCommand({ QueueUrl: url, MessageAttributeNames: ["All"], VisibilityTimeout: 600 }),
          );
          return Messages?.[0];
        });
        expect([dead.Body, dead.MessageAttributes?.["x-dead-reason"]?.StringValue]).toEqual([body, reason]);
      }
      await until("the queue to be empty", () => isEmpty(server.queue));
    }
  });

  test("an entry of a batch that AWS could not delete is deleted again, and no other", async () => {
    await using proxy: FaultProxy = await faultProxy(aws.address);
    let failures = 0;
    const deleted: string[] = [];
    proxy.onRequest = ({ target, body }) => {
      if (target !== "AmazonSQS.DeleteMessageBatch") return undefined;
      const { Entries } = JSON.parse(body) as { Entries: { Id: string; ReceiptHandle: string }[] };
      const failing = failures === 0 ? Entries[0] : undefined;
      deleted.push(...Entries.filter((entry) => entry !== failing).map(({ ReceiptHandle }) => ReceiptHandle));
      if (failing === undefined) return undefined;
      failures += 1;
      return {
        Successful: Entries.slice(1).map(({ Id }) => ({ Id })),
        Failed: [{ Id: failing.Id, SenderFault: false, Code: "InternalError", Message: "a fault" }],
      };
    };
    await using server = consume({}, { server: settings(proxy.address) });
    await server.listening();
    await fill(server.queue, 10);
    await until("all to be deleted", () => deleted.length >= 10);
    expect(new Set(deleted).size).toBe(deleted.length);
    expect([failures, done(server.runs()).length]).toEqual([1, 10]);
  });

  test("an AWS that throttles, or is away, is asked again", async () => {
    await using proxy: FaultProxy = await faultProxy(aws.address);
    await using server = consume({}, { server: settings(proxy.address) });
    await server.listening();
    proxy.onRequest = ({ target }) => (target === "AmazonSQS.ReceiveMessage" ? 503 : undefined);
    await server.log(/the subscription is gone/);
    proxy.onRequest = () => undefined;
    await fill(server.queue, 5);
    await until("all to be handled", () => new Set(done(server.runs())).size === 5, { describe: server.stdout, timeoutMs: 60_000 });
    await sqs.send(new CreateQueueCommand({ QueueName: "other" }));
  });

  test("what AWS refuses at the start is said, without the secret, and exits 3", async () => {
    await using proxy: FaultProxy = await faultProxy(aws.address);
    proxy.onRequest = () => ({ error: "InvalidClientTokenId" });
    const files = { "app.ini": iniOf({ app: "consumer-sqs.mjs", server: settings(proxy.address), config: { queue: "x", journal: "j" } }) };
    const { code, stderr } = await run(files, ["app.ini", "--bind", "127.0.0.1:0"]);
    expect([code, stderr]).toEqual([3, expect.stringMatching(/the queue "x": AWS refuses it: InvalidClientTokenId/)]);
    expect(stderr).not.toContain("verysecret");
    expect((await run(files, ["routes", "app.ini"])).stdout).toBe("SQS  x\n");
  });
});

test("SQS is consumed from, and published to", async () => {
  const aws = await startFauxqs({ port: 0, logger: false });
  const folder = makeTemporaryFolder({});
  try {
    const keys = {
      "aws_sns_sqs.region_name": "us-east-1",
      "aws_sns_sqs.aws_access_key_id": "test",
      "aws_sns_sqs.aws_secret_access_key": "test-secret",
      "aws_endpoint_urls.sns": aws.address,
      "aws_endpoint_urls.sqs": aws.address,
    };
    const off = { "metrics.enabled": "false" };
    const journal = join(folder.path, "journal");
    await using consumer = serve({
      app: "consumer-sqs.mjs",
      server: { ...keys, ...off, factory: "tsserve/queue", "aws_sns_sqs.wait_time": "1" },
      config: { queue: "mails", topics: "signed-up", journal },
    });
    await using publisher = serve({ app: "publisher.mjs", server: off, config: keys });
    await consumer.listening();
    const base = await publisher.listening();
    const publish = async (by: string, ...args: unknown[]): Promise<unknown> =>
      (await fetch(base, { method: "POST", body: JSON.stringify({ by, args }) })).json();
    expect(await publish("sns", "signed-up", { n: 1 })).toEqual({ ok: true });
    expect(await publish("sqs", "mails", { n: 2 })).toEqual({ ok: true });
    const many = Array.from({ length: 23 }, (_, n) => ({ data: { n: n + 3 } }));
    expect(await publish("sqs", "mails", many)).toEqual({ ok: true, value: many.map(() => ({ ok: true })) });
    expect(await publish("sqs", "nowhere", 1)).toMatchObject({ ok: false, code: "NO_ROUTE" });
    await until("all to be handled", () => new Set(done(readJournal(journal))).size === 25, { describe: consumer.stdout });
    expect(readJournal(journal)[0]?.headers?.["traceparent"]).toMatch(/^00-[0-9a-f]{32}-/);
    consumer.kill();
    expect((await consumer.exited()).code).toBe(0);
  } finally {
    await aws.stop();
    folder.remove();
  }
});
