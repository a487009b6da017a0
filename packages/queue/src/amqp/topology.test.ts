import type { Logger } from "pino";
import { expect, test } from "vitest";
import type { AmqpSource } from "../consumer-definition.ts";
import { BrokerError } from "../outcome-errors.ts";
import { FakeBroker, refusal } from "./fake-broker.ts";
import { amqpSettings } from "./settings.ts";
import { declareAnew, declareBeside, declareExchange, declareSource } from "./topology.ts";

const told: string[] = [];
const log = { info: (_: object, text: string) => told.push(text), warn: (_: object, text: string) => told.push(text) } as unknown as Logger;

function aSource(own: Partial<AmqpSource> = {}): AmqpSource {
  return {
    system: "rabbitmq",
    queue: "q",
    bindings: [],
    exchange: "amq.topic",
    isCompeting: true,
    prefetch: 10,
    arguments: {},
    ...own,
  };
}

const dayMs = 86_400_000;

test.each<[string, Partial<AmqpSource>, Record<string, string>, object]>([
  ["as the broker has it", {}, {}, {}],
  ["of a type", {}, { "amqp.queue_type": "quorum" }, { "x-queue-type": "quorum" }],
  ["that expires, because it is said", {}, { "amqp.queue_ttl": "1 hour" }, { "x-expires": 3_600_000 }],
  ["of one process: it expires", { isCompeting: false }, {}, { "x-expires": dayMs }],
  ["of one process, as it is said", { isCompeting: false }, { "amqp.queue_ttl": "5 minutes" }, { "x-expires": 300_000 }],
  ["whose consumer has arguments, which win", { arguments: { "x-expires": 7 } }, { "amqp.queue_ttl": "1 hour" }, { "x-expires": 7 }],
])("an absent queue is declared %s", async (_, own, raw, expected) => {
  const broker = new FakeBroker();
  await declareSource(broker.connect(), aSource(own), amqpSettings(raw), log);
  expect(broker.called("assertQueue")).toEqual([["q", expected]]);
  expect(broker.channels.every(({ isClosed }) => isClosed)).toBe(true);
});

test("a queue that is there is left as it is, whatever its arguments", async () => {
  const broker = new FakeBroker();
  broker.queues.set("q", { "x-max-length": 5 });
  await declareSource(broker.connect(), aSource(), amqpSettings({ "amqp.queue_type": "quorum" }), log);
  expect([broker.called("assertQueue"), broker.queues.get("q")]).toEqual([[], { "x-max-length": 5 }]);
});

test("an ordered consumer's queue without a single active consumer is warned of, and one with it is not", async () => {
  const ordered = aSource({ arguments: { "x-single-active-consumer": true } });
  for (const [known, warnings] of [
    [{}, 1],
    [{ "x-single-active-consumer": true }, 0],
  ] as const) {
    told.length = 0;
    const broker = new FakeBroker();
    broker.queues.set("q", known);
    await declareSource(broker.connect(), ordered, amqpSettings({}), log);
    expect(told.filter((text) => text.includes("other arguments"))).toHaveLength(warnings);
  }
});

test("bindings are made, on an exchange that is declared where it is absent and ours", async () => {
  for (const [exchange, declared] of [
    ["amq.topic", 0],
    ["", 0],
    ["orders", 1],
  ] as const) {
    const broker = new FakeBroker();
    await declareSource(broker.connect(), aSource({ exchange, bindings: ["a.*", "#"] }), amqpSettings({}), log);
    expect(broker.called("bindQueue")).toEqual([
      ["q", exchange, "a.*"],
      ["q", exchange, "#"],
    ]);
    expect(broker.called("assertExchange")).toHaveLength(declared);
  }
  const broker = new FakeBroker();
  broker.exchanges.add("orders");
  await declareExchange(broker.connect(), "orders", 100);
  expect(broker.called("assertExchange")).toEqual([]);
});

test("with amqp.declare = off nothing is declared, and what is absent fails for good", async () => {
  const settings = amqpSettings({ "amqp.declare": "off" });
  const broker = new FakeBroker();
  const missing = declareSource(broker.connect(), aSource({ bindings: ["a"] }), settings, log);
  await expect(missing).rejects.toMatchObject({ reason: "topology", isPermanent: true, message: /"q" does not exist.*amqp\.declare/ });
  broker.queues.set("q", {});
  await declareSource(broker.connect(), aSource({ bindings: ["a"] }), settings, log);
  for (const method of ["assertQueue", "bindQueue", "assertExchange"]) expect(broker.called(method)).toEqual([]);
});

test.each([
  ["checkQueue", refusal(403, "ACCESS_REFUSED - access to queue 'q' refused"), "refused", true],
  ["checkQueue", refusal(405, "RESOURCE_LOCKED - 'q' is in exclusive use"), "refused", false],
  ["bindQueue", refusal(404, "NOT_FOUND - no exchange 'amq.topic'"), "topology", true],
  ["bindQueue", new Error("Channel closed"), "channel_closed", false],
  ["createChannel", new Error("Connection closing"), undefined, undefined],
])("what the broker refuses of %s is told as it says it: %s", async (method, fault, reason, isPermanent) => {
  const broker = new FakeBroker();
  broker.queues.set("q", {});
  broker.faults.set(method, fault);
  const failed = await declareSource(broker.connect(), aSource({ bindings: ["a"] }), amqpSettings({}), log).catch(
    (error: unknown) => error,
  );
  if (reason === undefined) expect(failed).toBe(fault);
  else expect(failed).toMatchObject({ reason, isPermanent, message: expect.stringContaining(fault.message) as string });
});

test.each(["createChannel", "checkQueue", "bindQueue"])("no answer to %s is a timeout", async (method) => {
  const broker = new FakeBroker();
  broker.queues.set("q", {});
  broker.faults.set(method, "silence");
  const failed = declareSource(broker.connect(), aSource({ bindings: ["a"] }), amqpSettings({ "amqp.connect_timeout": "0.02" }), log);
  await expect(failed).rejects.toMatchObject({ name: "BrokerError", reason: "timeout" });
});

test("queues of ours: beside a consumer's what is there is taken, one that expires is declared again each time", async () => {
  const broker = new FakeBroker();
  const model = broker.connect();
  await declareBeside(model, "q.dead", { a: 1 }, 100);
  await declareBeside(model, "q.dead", { a: 2 }, 100);
  expect([broker.called("assertQueue").length, broker.queues.get("q.dead")]).toEqual([1, { a: 1 }]);
  await declareAnew(model, "q.redelivered.250", { b: 1 }, 100);
  await declareAnew(model, "q.redelivered.250", { b: 1 }, 100);
  expect(broker.called("assertQueue")).toHaveLength(3);
  await expect(declareAnew(model, "q.dead", { a: 2 }, 100)).rejects.toBeInstanceOf(BrokerError);
});
