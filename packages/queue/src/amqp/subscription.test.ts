import type { Logger } from "pino";
import { expect, test, vi } from "vitest";
import type { Sink } from "../broker.ts";
import type { AmqpSource, ConsumerDefinition } from "../consumer-definition.ts";
import type { Delivery } from "../delivery.ts";
import { readConsumers } from "../read-consumers.ts";
import { queueSettings } from "../settings.ts";
import { AmqpConnection } from "./connection.ts";
import type { FailedMessages } from "./failed-messages.ts";
import { FakeBroker, refusal } from "./fake-broker.ts";
import type { AmqpLibrary } from "./library.ts";
import { AmqpSubscription } from "./subscription.ts";

const tell = vi.fn();
const log = { info: tell, warn: tell, error: tell } as unknown as Logger;

interface Given {
  readonly raw?: object;
  readonly name?: string;
  readonly amqp?: object;
  readonly prepare?: (broker: FakeBroker) => void;
}

/** A subscription to a broker in memory, and what it tells its consumer. */
function made({ raw = {}, name = "orders", amqp = {}, prepare }: Given = {}) {
  const broker = new FakeBroker();
  prepare?.(broker);
  const settings = queueSettings({ "amqp.connect_timeout": "5", ...raw });
  const [definition] = readConsumers({ consumers: [{ name, amqp: { queue: "q", ...amqp }, handle: () => undefined }] }, settings);
  const connect = vi.fn(() => Promise.resolve(broker.connect()));
  const connection = new AmqpConnection({
    settings: settings.amqp,
    log,
    name: "test",
    library: () => ({ connect }) as unknown as AmqpLibrary,
  });
  const told: string[] = [];
  const deliveries: Delivery[] = [];
  const sink: Sink = {
    subscribed: () => told.push("subscribed"),
    unsubscribed: (reason) => told.push(reason),
    deliver: (delivery) => deliveries.push(delivery),
    unheard: ({ bytes }) => told.push(`unheard ${bytes.toString()}`),
  };
  const consumer = definition as ConsumerDefinition;
  const parts = { settings: settings.amqp, connection, failedMessages: {} as FailedMessages, log };
  const subscription = new AmqpSubscription(consumer, consumer.source as AmqpSource, sink, parts);
  const end = async (): Promise<void> => {
    await subscription.close();
    await connection.close();
  };
  return { broker, subscription, told, deliveries, connect, end };
}

/** The channel that consumes: the last one that was opened. */
const consuming = (broker: FakeBroker) => broker.channels.at(-1) ?? expect.fail("there is no channel");

test("it declares, consumes and tells so; what comes is handed on", async () => {
  const { broker, subscription, told, deliveries, end } = made();
  await subscription.first;
  expect([told, subscription.state]).toEqual([["subscribed"], { isSubscribed: true, brokerAnswers: true }]);
  expect(broker.called("consume")).toEqual([["q", { consumerTag: expect.stringMatching(/^orders-[0-9a-f-]{36}$/) as string }]]);
  consuming(broker).deliver("{}", { messageId: "m" });
  expect(deliveries).toMatchObject([{ id: "m", isStale: false }]);
  await end();
  expect(deliveries[0]?.isStale).toBe(true);
});

test.each([
  ["a name", "x".repeat(300)],
  ["a name of characters of three bytes", "€".repeat(300)],
])("%s of any length makes a tag that AMQP takes", async (_, name) => {
  const { broker, subscription, end } = made({ name });
  await subscription.first;
  const [[, { consumerTag }]] = broker.called("consume") as [[string, { consumerTag: string }]];
  expect(Buffer.byteLength(consumerTag)).toBeLessThanOrEqual(255);
  await end();
});

test.each<[string, (broker: FakeBroker) => void, string]>([
  ["the broker cancels it", (broker) => consuming(broker).deliver(null), "cancelled"],
  [
    "its channel is closed",
    (broker) =>
      void consuming(broker)
        .fail(refusal(406, "timed out"))
        .catch(() => undefined),
    "topology",
  ],
  ["its channel goes with the connection", (broker) => consuming(broker).emit("close"), "connection_lost"],
])("when %s, it subscribes again", async (_, happens, reason) => {
  const { broker, subscription, told, deliveries, end } = made();
  await subscription.first;
  consuming(broker).deliver("{}", {}, { redelivered: true });
  happens(broker);
  await vi.waitUntil(() => told.length === 3, { timeout: 10_000 });
  expect(told).toEqual(["subscribed", reason, "subscribed"]);
  consuming(broker).deliver("{}", {}, { redelivered: true });
  // What comes back to one that has been cut off is not what ended a worker.
  expect(deliveries.map(({ isSuspect, isStale }) => [isSuspect, isStale])).toEqual([
    [true, true],
    [false, false],
  ]);
  await end();
});

test.each([
  [refusal(403, "ACCESS_REFUSED - access to queue 'q' refused"), "refused", true],
  [refusal(406, "PRECONDITION_FAILED"), "topology", true],
  [refusal(405, "RESOURCE_LOCKED"), "refused", false],
])("what the broker refuses of the first one fails the start when it is for good: %s", async (fault, reason, isPermanent) => {
  const { broker, subscription, told, end } = made({ prepare: ({ faults }) => faults.set("consume", fault) });
  if (isPermanent) await expect(subscription.first).rejects.toMatchObject({ reason, isPermanent });
  else {
    await vi.waitUntil(() => told.length > 1, { timeout: 10_000 });
    broker.faults.clear();
    await subscription.first;
  }
  expect(told[0]).toBe(reason);
  await end();
});

test("a peer that does not answer is left for another connection", async () => {
  const { broker, subscription, told, connect, end } = made({
    raw: { "amqp.connect_timeout": "0.05" },
    prepare: ({ faults }) => faults.set("consume", "silence"),
  });
  await vi.waitUntil(() => told.length > 0, { timeout: 10_000 });
  expect([told[0], subscription.state.isSubscribed]).toEqual(["timeout", false]);
  broker.faults.clear();
  await subscription.first;
  expect(connect.mock.calls.length).toBeGreaterThanOrEqual(2);
  await end();
});

test("one that is cancelled takes nothing more, and is not tried again", async () => {
  const { broker, subscription, told, end } = made();
  await subscription.first;
  await subscription.cancel();
  expect(broker.called("cancel")).toHaveLength(1);
  consuming(broker).emit("close");
  await end();
  expect(told).toEqual(["subscribed"]);
});

test("one that is ended before it could be had says so", async () => {
  const { subscription, end } = made({ prepare: ({ faults }) => faults.set("consume", "silence") });
  const first = subscription.first.catch((error: unknown) => error);
  await subscription.cancel();
  await end();
  await vi.waitFor(async () => expect(await Promise.race([first, Promise.resolve("not yet")])).toMatchObject({ reason: "cancelled" }), {
    timeout: 10_000,
  });
});

test.each([
  ["a queue that is there is consumed from, no more", {}, true, ["prefetch", "consume"]],
  ["one that is absent is declared first", {}, false, ["prefetch", "check queue", "check queue", "assertQueue", "prefetch", "consume"]],
  ["one that is bound is looked at", { routingKeys: ["a", "b"] }, true, ["checkQueue", "bindQueue", "bindQueue", "prefetch", "consume"]],
  ["one with an order is looked at", { ordered: true }, true, ["checkQueue", "prefetch", "consume"]],
])("%s", async (_, amqp, isThere, asked) => {
  const prepare = (broker: FakeBroker): void => void (isThere && broker.with("q"));
  const { broker, subscription, end } = made({ amqp, prepare });
  await subscription.first;
  expect(broker.calls.map(([name]) => name).filter((name) => !["createChannel", "close"].includes(name))).toEqual(asked);
  await end();
});
