import type { Logger } from "pino";
import { expect, test, vi } from "vitest";
import type { Sink } from "../broker.ts";
import type { Delivery } from "../delivery.ts";
import { BrokerError } from "../outcome-errors.ts";
import { readConsumers } from "../read-consumers.ts";
import { queueSettings } from "../settings.ts";
import { AmqpBroker } from "./broker.ts";
import { FakeBroker } from "./fake-broker.ts";

const log = { info: vi.fn(), warn: vi.fn(), error: vi.fn() } as unknown as Logger;

/** Two consumers of a broker in memory, `one` of the queue `q` and `two` of the queue `r`, and what comes to them. */
function made() {
  const fake = new FakeBroker().with("q").with("r");
  const settings = queueSettings({});
  const handle = (): void => undefined;
  const definitions = readConsumers(
    {
      consumers: [
        { name: "one", amqp: { queue: "q" }, handle },
        { name: "two", amqp: { queue: "r" }, handle },
        { name: "other", sqs: { queue: "s" }, handle },
      ],
    },
    settings,
  );
  const loaded: string[] = [];
  const load = (neededBy: string) => {
    loaded.push(neededBy);
    return fake.library;
  };
  const deliveries: Delivery[] = [];
  const sink: Sink = { subscribed: vi.fn(), unsubscribed: vi.fn(), unheard: vi.fn(), deliver: (delivery) => deliveries.push(delivery) };
  const broker = new AmqpBroker(settings.amqp, log, load);
  const subscribe = (name: string) => broker.subscribe(definitions.find((each) => each.name === name) ?? expect.fail(), sink);
  return { fake, broker, subscribe, loaded, deliveries };
}

test("the library is loaded once, for the first consumer that needs it", async () => {
  const { broker, loaded } = made();
  await broker.prepare("one");
  await broker.prepare("two");
  expect(loaded).toEqual(['consumer "one"']);
});

test("a library that is missing is said by whoever needs it, and asked for again by the next", async () => {
  const missing = new BrokerError("library", 'consumer "one" needs amqplib', { isPermanent: true });
  const load = vi.fn((): never => {
    throw missing;
  });
  const broker = new AmqpBroker(queueSettings({}).amqp, log, load);
  await expect(broker.prepare("one")).rejects.toBe(missing);
  await expect(broker.prepare("one")).rejects.toBe(missing);
  expect(load).toHaveBeenCalledTimes(2);
});

test("consumers share a connection, and what fails leaves by another one, which is opened then", async () => {
  const { fake, broker, subscribe, deliveries } = made();
  await broker.prepare("one");
  const subscriptions = [subscribe("one"), subscribe("two")];
  await Promise.all(subscriptions.map(({ first }) => first));
  expect(fake.models).toHaveLength(1);
  fake.channels.at(-1)?.deliver("{}");
  await deliveries[0]?.bury("rejected", { error: new Error("not wanted"), failures: 1, retryLimit: 3 });
  expect([fake.models.length, fake.called("publish").map(([, key]) => key)]).toEqual([2, [expect.stringMatching(/^[qr]\.dead$/)]]);
  for (const subscription of subscriptions) await subscription.close();
  await broker.close();
  expect(fake.called("closeConnection")).toHaveLength(2);
});

test("it begins to connect once it has its library, and what nobody has used is closed", async () => {
  const { fake, broker } = made();
  await broker.prepare("one");
  await broker.prepare("two");
  await vi.waitUntil(() => fake.models.length === 1);
  await broker.close();
  expect([fake.models.length, fake.called("closeConnection").length, fake.called("consume")]).toEqual([1, 1, []]);
});

test("it closes what was opened, no more, and takes no consumer of another broker", async () => {
  const { fake, broker, subscribe } = made();
  expect(() => subscribe("other")).toThrow(TypeError);
  await broker.close();
  expect(fake.calls).toEqual([]);
});
