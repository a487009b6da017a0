import type { Logger } from "pino";
import { expect, test, vi } from "vitest";
import { FakeBroker } from "./fake-broker.ts";
import { AmqpPublisher } from "./publisher.ts";
import { amqpSettings } from "./settings.ts";

let broker = new FakeBroker();

function made(raw: Record<string, string> = {}): AmqpPublisher {
  broker = new FakeBroker();
  const log = { info: vi.fn(), warn: vi.fn(), error: vi.fn() } as unknown as Logger;
  return new AmqpPublisher(
    amqpSettings(raw),
    { log, headers: () => ({ traceparent: "00-t" }), makeId: () => "made" },
    () => broker.library,
  );
}

const published = (): unknown[] => broker.called("publish")[0] ?? [];

test("a message has an id, a time, its trace and what it is", async () => {
  const publisher = made();
  const before = Math.floor(Date.now() / 1000);
  await publisher.publish("order.new", { id: 1 });
  const [exchange, key, content, options] = published() as [string, string, string, { timestamp: number }];
  expect([exchange, key, content]).toEqual(["amq.topic", "order.new", '{"id":1}']);
  expect(options).toMatchObject({
    persistent: true,
    mandatory: true,
    messageId: "made",
    contentType: "application/json",
    headers: { traceparent: "00-t" },
  });
  expect(options.timestamp).toBeGreaterThanOrEqual(before);
});

test("what the caller says wins", async () => {
  const publisher = made();
  const own = {
    messageId: "m",
    persistent: false,
    contentType: "x/y",
    correlationId: "c",
    priority: 3,
    headers: { traceparent: "mine", a: 1 },
  };
  await publisher.publish("k", Buffer.from([1, 2]), { exchange: "e", ...own });
  expect(published()).toMatchObject(["e", "k", "\u0001\u0002", own]);
});

test.each([
  ["order.ä", {}, "pre.order.___c3a4_"],
  ["mails", { exchange: "" }, "dev-mails"],
])("the prefixes: %s with %j goes to %s", async (key, options, expected) => {
  const publisher = made({ "amqp.routing_key_prefix": "pre.", "amqp.queue_name_prefix": "dev-" });
  await publisher.publish(key, {}, options);
  expect(published()[1]).toBe(expected);
});

test.each([undefined, () => 1, Symbol("s"), 5n])("data that JSON can't say are refused before anything is sent: %s", async (data) => {
  const publisher = made();
  await expect(publisher.publish("k", data)).rejects.toThrow(TypeError);
  expect(broker.models).toEqual([]);
});

test.each(["soon", -1, Number.NaN])("a timeout of %s is refused", async (timeout) => {
  const publisher = made();
  await expect(publisher.publish("k", {}, { timeout })).rejects.toThrow(/^expected a number/);
  expect(published()).toEqual([]);
});

test("closing waits for what is on its way, and then takes nothing more", async () => {
  const publisher = made();
  let confirm = (): void => undefined;
  broker.onPublish = (_, __, done) => (confirm = () => done(null));
  const publishing = publisher.publish("k", {});
  await vi.waitUntil(() => published().length > 0);
  const closed = vi.fn();
  const closing = publisher.close().then(closed);
  await expect(publisher.publish("k", {})).rejects.toMatchObject({ code: "UNAVAILABLE", message: /is closed/ });
  expect(closed).not.toHaveBeenCalled();
  confirm();
  await Promise.all([publishing, closing]);
  expect(broker.called("closeConnection")).toHaveLength(1);
});

test("more than ten thousand that wait for their confirmation are refused", async () => {
  const publisher = made();
  const confirms: (() => void)[] = [];
  broker.onPublish = (_, __, done) => void confirms.push(() => done(null));
  const all = Array.from({ length: 10_001 }, () => publisher.publish("k", 1, { timeout: 60_000 }).catch((error: unknown) => error));
  await vi.waitUntil(() => confirms.length >= 10_000, { timeout: 20_000 });
  const more = await publisher.publish("k", 1).catch((error: unknown) => error);
  expect(more).toMatchObject({ code: "UNAVAILABLE", message: /10000 messages wait/ });
  for (const confirm of confirms) confirm();
  await Promise.all(all);
});
