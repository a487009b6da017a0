import type { Logger } from "pino";
import { expect, test, vi } from "vitest";
import { PublishError } from "../publish-error.ts";
import { AmqpConnection } from "./connection.ts";
import { FakeBroker, refusal, type Fault } from "./fake-broker.ts";
import type { AmqpLibrary } from "./library.ts";
import { AmqpPublishing, type Publication } from "./publishing.ts";
import { amqpSettings } from "./settings.ts";

const log = { info: vi.fn(), warn: vi.fn(), error: vi.fn() } as unknown as Logger;

function made(raw: Record<string, string> = {}): { broker: FakeBroker; publishing: AmqpPublishing; connection: AmqpConnection } {
  const broker = new FakeBroker();
  const settings = amqpSettings({ "amqp.connect_timeout": "5", ...raw });
  const library = (): AmqpLibrary => ({ connect: () => Promise.resolve(broker.connect()) }) as unknown as AmqpLibrary;
  const connection = new AmqpConnection({ settings, log, library, name: "test" });
  return { broker, connection, publishing: new AmqpPublishing(connection, settings) };
}

const toQueue: Publication = { exchange: "", routingKey: "q", content: Buffer.from("{}"), options: { messageId: "m" } };

async function failureOf(publishing: Promise<void>): Promise<PublishError> {
  const error: unknown = await publishing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof PublishError)) throw new Error("expected a PublishError", { cause: error });
  return error;
}

test("what is published is mandatory, and done when it is confirmed", async () => {
  const { broker, publishing } = made();
  await publishing.publish(toQueue);
  expect(broker.called("publish")).toEqual([["", "q", "{}", { messageId: "m", mandatory: true }]]);
  await publishing.publish(toQueue);
  expect([broker.models.length, broker.channels.length]).toEqual([1, 1]);
});

test("an exchange of ours and a queue that is asked for are declared once, a temporary one each time", async () => {
  const { broker, publishing } = made();
  await publishing.publish({ ...toQueue, exchange: "orders" });
  await publishing.publish({ ...toQueue, exchange: "orders" });
  expect(broker.called("assertExchange")).toEqual([["orders", "topic", { durable: true }]]);
  for (const isTemporary of [false, true]) {
    const declare = { queue: `q.${isTemporary}`, arguments: { a: 1 }, isTemporary };
    await publishing.publish({ ...toQueue, declare });
    await publishing.publish({ ...toQueue, declare });
  }
  expect(broker.called("assertQueue").map(([queue]) => queue)).toEqual(["q.false", "q.true", "q.true"]);
});

test("with amqp.declare = off no exchange is declared, but the queues for what failed are", async () => {
  const { broker, publishing } = made({ "amqp.declare": "off" });
  await publishing.publish({ ...toQueue, exchange: "orders" });
  await publishing.publish({ ...toQueue, declare: { queue: "q.dead", arguments: {} } });
  expect([broker.called("assertExchange"), broker.called("assertQueue")]).toEqual([[], [["q.dead", {}]]]);
});

test("what no queue gets is NO_ROUTE, and its queue is declared anew next time", async () => {
  const { broker, publishing } = made();
  const declare = { queue: "q.dead", arguments: {} };
  const publication = { ...toQueue, routingKey: "q.dead", declare };
  broker.onPublish = (channel, routingKey, confirm) => {
    channel.emit("return", { properties: { messageId: "m" }, fields: { exchange: "", routingKey, replyText: "NO_ROUTE" } });
    confirm(null);
  };
  expect(await failureOf(publishing.publish(publication))).toMatchObject({
    code: "NO_ROUTE",
    mayHaveBeenSent: false,
    message: /no queue "q\.dead"/,
  });
  broker.queues.clear();
  broker.onPublish = (_, __, confirm) => confirm(null);
  await publishing.publish(publication);
  expect(broker.called("assertQueue")).toHaveLength(2);
});

test("one that comes back is not taken for another one", async () => {
  const { broker, publishing } = made();
  const confirms: (() => void)[] = [];
  broker.onPublish = (_, __, confirm) => void confirms.push(() => confirm(null));
  const [one, other] = ["one", "other"].map((messageId) => publishing.publish({ ...toQueue, options: { messageId } }));
  await vi.waitUntil(() => confirms.length === 2);
  broker.channels[0]?.emit("return", { properties: { messageId: "other" }, fields: { exchange: "", routingKey: "q" } });
  for (const confirm of confirms) confirm();
  await one;
  await expect(other).rejects.toMatchObject({ code: "NO_ROUTE" });
});

test.each<[string, (broker: FakeBroker) => void, string, boolean]>([
  ["a nack", (broker) => (broker.onPublish = (_, __, confirm) => confirm(new Error("message nacked"))), "NACK", false],
  ["no confirmation", (broker) => (broker.onPublish = () => undefined), "TIMEOUT", true],
  ["a lost connection", (broker) => (broker.onPublish = (_, __, confirm) => confirm(new Error("channel closed"))), "LOST", true],
  [
    "its exchange is not there",
    (broker) =>
      (broker.onPublish = (channel, _, confirm) => {
        channel.emit("error", refusal(404, "NOT_FOUND - no exchange '' in vhost '/'"));
        confirm(new Error("channel closed"));
      }),
    "REFUSED",
    false,
  ],
  [
    "too large for the broker",
    (broker) =>
      (broker.onPublish = (channel, _, confirm) => {
        channel.emit("error", refusal(406, "PRECONDITION_FAILED - message size 2 is larger than configured max size 1"));
        confirm(new Error("channel closed"));
      }),
    "REFUSED",
    false,
  ],
  [
    "what another message did to the channel",
    (broker) =>
      (broker.onPublish = (channel, _, confirm) => {
        channel.emit("error", refusal(404, "NOT_FOUND - no exchange 'other' in vhost '/'"));
        confirm(new Error("channel closed"));
      }),
    "LOST",
    true,
  ],
  [
    "headers that can't be written",
    (broker) =>
      (broker.onPublish = () => {
        throw new RangeError("out of range");
      }),
    "REFUSED",
    false,
  ],
])("%s has a code, and says whether it may have been sent", async (_, prepare, code, mayHaveBeenSent) => {
  const { broker, publishing } = made();
  prepare(broker);
  const timeoutMs = code === "TIMEOUT" ? 20 : 5000;
  expect(await failureOf(publishing.publish({ ...toQueue, timeoutMs }))).toMatchObject({ code, mayHaveBeenSent });
});

test.each<[string, Fault]>([
  ["createChannel", "silence"],
  ["createChannel", new Error("Connection closing")],
])(
  "a channel that can't be had (%s: %s) means not sent, and the next message asks for another connection or channel",
  async (method, fault) => {
    const { broker, publishing } = made({ "amqp.connect_timeout": "0.05" });
    broker.faults.set(method, fault);
    expect(await failureOf(publishing.publish(toQueue))).toMatchObject({ code: "UNAVAILABLE", mayHaveBeenSent: false });
    broker.faults.clear();
    await vi.waitUntil(() =>
      publishing.publish(toQueue).then(
        () => true,
        () => false,
      ),
    );
    expect(broker.called("publish")).toHaveLength(1);
  },
);

test("a queue that can't be declared means not sent", async () => {
  const { broker, publishing } = made();
  broker.faults.set("assertQueue", refusal(403, "ACCESS_REFUSED"));
  const declare = { queue: "q.dead", arguments: {} };
  expect(await failureOf(publishing.publish({ ...toQueue, declare }))).toMatchObject({ code: "REFUSED" });
  expect(broker.called("publish")).toEqual([]);
});

test("while the broker takes no messages nothing is sent, and it is said why", async () => {
  const { broker, publishing, connection } = made();
  await publishing.publish(toQueue);
  broker.models[0]?.emit("blocked", "low on memory");
  expect(connection.blockedBecause).toBe("low on memory");
  expect(await failureOf(publishing.publish(toQueue))).toMatchObject({ code: "UNAVAILABLE", message: /low on memory/ });
  broker.models[0]?.emit("unblocked");
  await publishing.publish(toQueue);
  expect(broker.called("publish")).toHaveLength(2);
});

test("a channel that was closed is opened again, and what it had declared is looked for again", async () => {
  const { broker, publishing } = made();
  const declare = { queue: "q.dead", arguments: {} };
  await publishing.publish({ ...toQueue, declare });
  broker.queues.clear();
  await broker.channels[0]?.fail(refusal(406, "PRECONDITION_FAILED")).catch(() => undefined);
  await publishing.publish({ ...toQueue, declare });
  expect([broker.called("publish").length, broker.called("assertQueue").length]).toEqual([2, 2]);
});

test("a timeout that no timer can count is no timeout at all", async () => {
  const { broker, publishing } = made();
  broker.onPublish = (_, __, confirm) => void setTimeout(() => confirm(null), 20);
  await publishing.publish({ ...toQueue, timeoutMs: 2 ** 40 });
});
