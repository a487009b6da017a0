import { expect, test } from "vitest";
import type { AmqpSource } from "../consumer-definition.ts";
import type { Failure } from "../delivery.ts";
import { aMessage } from "./fake-broker.ts";
import { FailedMessages, headerNames } from "./failed-messages.ts";
import type { AmqpPublishing, Publication } from "./publishing.ts";
import { amqpSettings } from "./settings.ts";

const source = { system: "rabbitmq", queue: "orders" } as AmqpSource;

function made(raw: Record<string, string> = {}): { failed: FailedMessages; published: Publication[] } {
  const published: Publication[] = [];
  const publishing = { publish: (publication: Publication) => (published.push(publication), Promise.resolve()) };
  return { failed: new FailedMessages(publishing as unknown as AmqpPublishing, amqpSettings(raw)), published };
}

function failure(own: Partial<Failure> = {}): Failure {
  return { error: new TypeError("no luck"), failures: 1, retryLimit: 3, ...own };
}

const only = (published: readonly Publication[]): Publication => {
  expect(published).toHaveLength(1);
  return published[0] as Publication;
};

test("a retry goes to a queue of its delay, which expires back into the consumer's", async () => {
  const { failed, published } = made();
  await failed.retry(aMessage("{}"), source, 10_000, failure());
  expect(only(published)).toMatchObject({
    exchange: "",
    routingKey: "orders.retry.10000",
    options: { persistent: true },
    declare: {
      queue: "orders.retry.10000",
      arguments: { "x-message-ttl": 10_000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders" },
    },
  });
  expect(only(published).declare?.isTemporary).toBeUndefined();
});

test("one without a delay goes straight back", async () => {
  const { failed, published } = made();
  await failed.retry(aMessage("{}"), source, 0, failure());
  expect(only(published)).toMatchObject({ exchange: "", routingKey: "orders" });
  expect(only(published).declare).toBeUndefined();
});

test.each([
  [1, 1],
  [99, 99],
  [0.4, 1],
  [101, 110],
  [1234, 1300],
  [59_999, 60_000],
  [86_400_000, 87_000_000],
  [2 ** 40, 2 ** 32 - 1],
])("delays that are made up make few queues, none of them sooner: %d ms wait %d", async (delayMs, ttlMs) => {
  const { failed, published } = made();
  await failed.retry(aMessage("{}"), source, delayMs, failure());
  expect(only(published).routingKey).toBe(`orders.retry.${ttlMs}`);
});

test("on quorum queues what expires is handed on for certain", async () => {
  const { failed, published } = made({ "amqp.queue_type": "quorum" });
  await failed.retry(aMessage("{}"), source, 1000, failure());
  expect(only(published).declare?.arguments).toMatchObject({
    "x-queue-type": "quorum",
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
  });
});

test("a copy says where it came from, how often it failed, when first and why last", async () => {
  const { failed, published } = made();
  await failed.retry(aMessage("{}"), source, 1000, failure());
  const first = only(published).options.headers as Record<string, unknown>;
  expect(first).toMatchObject({
    [headerNames.originalQueue]: "orders",
    [headerNames.originalExchange]: "amq.topic",
    [headerNames.originalRoutingKey]: "order.new",
    [headerNames.retryCount]: 1,
    [headerNames.retryLimit]: 3,
    [headerNames.lastError]: "TypeError: no luck",
  });
  const since = first[headerNames.firstFailedAt] as string;
  expect(Number.isNaN(Date.parse(since))).toBe(false);
  // It comes back by the default exchange.
  const again = made();
  const returned = aMessage("{}", { headers: first }, { exchange: "", routingKey: "orders" });
  await again.failed.bury(returned, source, "retries", failure({ failures: 4, error: "gone" }));
  expect(only(again.published)).toMatchObject({ routingKey: "orders.dead", declare: { queue: "orders.dead", arguments: {} } });
  expect(only(again.published).options.headers).toMatchObject({
    [headerNames.originalExchange]: "amq.topic",
    [headerNames.originalRoutingKey]: "order.new",
    [headerNames.retryCount]: 4,
    [headerNames.firstFailedAt]: since,
    [headerNames.deadReason]: "retries",
    [headerNames.lastError]: "Error: a value that is no Error was thrown: gone",
  });
});

test.each([
  ["a time of 64 bits", { timestamp: 2 ** 64 }, "timestamp"],
  ["an id that was no UTF-8", { messageId: "\uFFFD".repeat(255) }, "messageId"],
  ["all that can be", { type: "\uFFFD".repeat(86), correlationId: "ä".repeat(128), appId: "a".repeat(256) }, "correlationId, type, appId"],
])("properties that can't be written again are left out and named: %s", async (_, properties, names) => {
  const { failed, published } = made();
  const kept = { timestamp: 2 ** 63, messageId: "a".repeat(255), replyTo: "ä".repeat(127) };
  await failed.bury(aMessage("{}", { ...kept, ...properties }), source, "retries", failure());
  const { headers, ...options } = only(published).options as Record<string, unknown>;
  const expected = Object.entries(kept).filter(([name]) => !(name in properties));
  expect(options).toEqual({ ...Object.fromEntries(expected), persistent: true });
  expect(headers).toMatchObject({ "x-left-out-headers": names, [headerNames.deadReason]: "retries" });
});

test("another service's history of a message is not taken for ours", async () => {
  const { failed, published } = made();
  const headers = { [headerNames.originalQueue]: "bills", [headerNames.originalRoutingKey]: "bill.new" };
  await failed.retry(aMessage("{}", { headers }), source, 1, failure());
  expect(only(published).options.headers).toMatchObject({
    [headerNames.originalQueue]: "orders",
    [headerNames.originalRoutingKey]: "order.new",
  });
});

test("headers by which the broker routes and counts don't go along, the others and the properties do", async () => {
  const { failed, published } = made();
  const counted = Object.fromEntries(["CC", "BCC", "x-death", "x-first-death-queue", "x-delivery-count"].map((name) => [name, 1]));
  const properties = {
    headers: { ...counted, mine: "kept", traceparent: "00-…" },
    contentType: "application/json",
    messageId: "m",
    timestamp: 1,
    priority: 0,
    correlationId: "c",
    replyTo: "r",
    type: "t",
    appId: "a",
    userId: "joe",
    expiration: "100",
    deliveryMode: 1,
  };
  await failed.retry(aMessage("{}", properties), source, 1, failure());
  const { options } = only(published);
  expect(options).toMatchObject({
    contentType: "application/json",
    messageId: "m",
    timestamp: 1,
    priority: 0,
    type: "t",
    persistent: true,
  });
  expect(Object.keys(options)).not.toEqual(expect.arrayContaining(["userId"]));
  expect([options.userId, options.expiration]).toEqual([undefined, undefined]);
  const headers = options.headers as Record<string, unknown>;
  expect(headers).toMatchObject({ mine: "kept", traceparent: "00-…" });
  for (const name of Object.keys(counted)) expect(headers).not.toHaveProperty([name]);
});

test("what an error says is masked, and no longer than a header bears", async () => {
  const { failed, published } = made();
  await failed.bury(aMessage("{}"), source, "rejected", failure({ error: new Error("at amqp://joe:verysecret@mq/") }));
  await failed.bury(aMessage("{}"), source, "rejected", failure({ error: new Error("ä".repeat(5000)) }));
  const texts = published.map(({ options }) => (options.headers as Record<string, string>)[headerNames.lastError] ?? "");
  expect(texts[0]).not.toContain("verysecret");
  expect(Buffer.byteLength(texts[1] ?? "")).toBeLessThanOrEqual(1000);
  expect(texts[1]).not.toContain("\uFFFD");
});

test("one that came back without a word waits the longer the more often it did, spread by chance, in queues that go again", async () => {
  for (const [redeliveries, stepMs] of [
    [1, 250],
    [2, 2000],
    [3, 8000],
    [9, 8000],
  ] as const) {
    const { failed, published } = made();
    for (let n = 0; n < 40; n += 1) await failed.recount(aMessage("{}"), source, redeliveries);
    const waits = published.map(({ declare }) => Number(declare?.queue.split(".").at(-1)));
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(stepMs);
    expect(Math.max(...waits)).toBeLessThanOrEqual(8 * stepMs);
    expect(new Set(waits).size).toBeGreaterThan(1);
    for (const { declare, options } of published) {
      expect(declare).toMatchObject({ isTemporary: true, queue: expect.stringMatching(/^orders\.redelivered\./) as string });
      expect(declare?.arguments["x-expires"]).toBeGreaterThan(declare?.arguments["x-message-ttl"] as number);
      expect(options.headers).toMatchObject({ [headerNames.redeliveryCount]: redeliveries });
    }
  }
});

test("a failure is a word: the count of returns begins anew", async () => {
  const { failed, published } = made();
  await failed.retry(aMessage("{}", { headers: { [headerNames.redeliveryCount]: 3 } }), source, 1, failure());
  expect((only(published).options.headers as Record<string, unknown>)[headerNames.redeliveryCount]).toBeUndefined();
});
