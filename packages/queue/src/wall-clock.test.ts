import { ActiveRequests, systemClock } from "@tsserve/server";
import type { Logger } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { AmqpPublisher } from "./amqp/publisher.ts";
import { FakeBroker } from "./amqp/fake-broker.ts";
import { Consumer } from "./consumer.ts";
import { MemoryDelivery, type Fate } from "./memory/delivery.ts";
import { QueueHealth } from "./queue-health.ts";
import type { QueueMetrics } from "./queue-metrics.ts";
import { readConsumers } from "./read-consumers.ts";
import { queueSettings } from "./settings.ts";
import { Slots } from "./slots.ts";

const yearMs = 365 * 86_400_000;

const log = { info: vi.fn(), warn: vi.fn(), error: vi.fn(), child: () => log } as unknown as Logger;

/** A clock that is set to and fro, by a year each time that it is read. */
beforeEach(() => {
  let reads = 0;
  const now = Date.now();
  vi.spyOn(Date, "now").mockImplementation(() => now + ((reads += 1) % 2 === 0 ? yearMs : -yearMs));
});

afterEach(() => void vi.restoreAllMocks());

test("a run is not taken for one that lasts too long, and what it was sent at gives no odd lag", async () => {
  const lags: number[] = [];
  const metrics = {
    left: () => undefined,
    ran: () => undefined,
    lagged: (seconds: number) => lags.push(seconds),
  } as unknown as QueueMetrics;
  const fates: Fate[] = [];
  const handle = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 30));
  const settings = queueSettings({ message_timeout: "1 hour" });
  const [definition] = readConsumers({ consumers: [{ name: "c", amqp: { queue: "q" }, handle }] }, settings);
  const parts = { slots: new Slots(10), requests: new ActiveRequests(), log, appLog: log, metricsOf: () => metrics };
  const consumer = new Consumer(definition ?? expect.fail(), { ...parts, onFatal: () => undefined });
  for (let n = 0; n < 20; n += 1)
    consumer.deliver(new MemoryDelivery({ body: n, id: "the same", redelivered: true }, (fate) => fates.push(fate)));
  await vi.waitUntil(() => fates.length === 20);
  expect(new Set(fates.map(({ outcome }) => outcome))).toEqual(new Set(["acknowledged"]));
  expect(lags.every(Number.isFinite)).toBe(true);
  const stops = await consumer.stop(new AbortController().signal, new AbortController().signal);
  expect(stops).toBe(0);
});

test("a publication is not taken for one that had no answer in time", async () => {
  const broker = new FakeBroker();
  broker.onPublish = (_, __, confirm) => void setTimeout(() => confirm(null), 20);
  const parts = { log, headers: () => ({}), makeId: () => "made" };
  const publisher = new AmqpPublisher(queueSettings({}).amqp, parts, () => broker.library);
  const publications = Array.from({ length: 20 }, (_, n) => publisher.publish("k", n, { timeout: "1 hour" }));
  expect((await Promise.all(publications)).length).toBe(20);
  await publisher.close();
});

test("a worker that has just lost its subscription stays ready and alive", () => {
  let isSubscribed = true;
  const health = new QueueHealth(() => [{ isSubscribed, brokerAnswers: true }], systemClock);
  health.look();
  isSubscribed = false;
  for (let n = 0; n < 10; n += 1) expect([health.check("readiness"), health.check("liveness")]).toEqual([true, true]);
});
