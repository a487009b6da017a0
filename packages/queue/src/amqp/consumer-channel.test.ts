import type { ConsumeMessage } from "amqplib";
import { expect, test, vi } from "vitest";
import { ConsumerChannel, type ConsumerChannelOptions } from "./consumer-channel.ts";
import { FakeBroker, refusal, type FakeChannel } from "./fake-broker.ts";
import type { UnsettledDelivery } from "./unsettled.ts";

interface Opened {
  readonly broker: FakeBroker;
  readonly channel: ConsumerChannel;
  readonly raw: FakeChannel;
  /** What came, as the channel handed it over. */
  readonly deliveries: UnsettledDelivery[];
  readonly messages: ConsumeMessage[];
  readonly unheard: UnsettledDelivery[];
  readonly errors: unknown[];
}

async function opened(own: Partial<ConsumerChannelOptions> = {}, serverProperties: object = {}): Promise<Opened> {
  const broker = new FakeBroker().with("q");
  Object.assign(broker.serverProperties, serverProperties);
  const [deliveries, messages, unheard, errors]: [UnsettledDelivery[], ConsumeMessage[], UnsettledDelivery[], unknown[]] = [[], [], [], []];
  const channel = await ConsumerChannel.open(broker.connect(), {
    queue: "q",
    prefetch: 3,
    consumerTag: "tag",
    rpcTimeoutMs: 50,
    isOrdered: false,
    hasSingleActive: false,
    onMessage: (message, _, delivery) => {
      messages.push(message);
      deliveries.push(delivery);
    },
    onUnheard: (delivery) => unheard.push(delivery),
    onError: (error) => errors.push(error),
    ...own,
  });
  return { broker, channel, raw: broker.channels[0] as FakeChannel, deliveries, messages, unheard, errors };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
const settlements = (broker: FakeBroker): unknown[] => broker.calls.filter(([name]) => ["ack", "nack", "reject", "cancel"].includes(name));

test("it sets the prefetch before it consumes, under its tag", async () => {
  const { broker } = await opened();
  expect(broker.calls).toEqual([["createChannel"], ["prefetch", 3], ["consume", "q", { consumerTag: "tag" }]]);
});

test.each(["createChannel", "prefetch", "consume"])("no answer to %s is a timeout, and the channel is closed", async (method) => {
  const broker = new FakeBroker().with("q");
  broker.faults.set(method, "silence");
  const opening = ConsumerChannel.open(broker.connect(), {
    queue: "q",
    prefetch: 1,
    consumerTag: "tag",
    rpcTimeoutMs: 20,
    isOrdered: false,
    hasSingleActive: false,
    onMessage: () => undefined,
    onUnheard: () => undefined,
    onError: () => undefined,
  });
  await expect(opening).rejects.toMatchObject({ reason: "timeout" });
  if (method !== "createChannel") expect(broker.called("close")).toHaveLength(1);
});

test("acknowledgements of one turn go as one, as far as nothing before them is held", async () => {
  const { broker, channel, raw, deliveries } = await opened();
  for (const content of ["1", "2", "3", "4"]) raw.deliver(content);
  for (const index of [0, 1, 3]) expect(channel.acknowledge(deliveries[index] as UnsettledDelivery)).toBe(true);
  expect(settlements(broker)).toEqual([]);
  await turn();
  expect(settlements(broker)).toEqual([
    ["ack", 2, true],
    ["ack", 4, false],
  ]);
  expect(channel.acknowledge(deliveries[0] as UnsettledDelivery)).toBe(false);
});

test("what goes back at a stop, and what failed, are told in different words", async () => {
  const { broker, channel, raw, deliveries } = await opened();
  for (const content of ["1", "2"]) raw.deliver(content);
  const [one, two] = deliveries as [UnsettledDelivery, UnsettledDelivery];
  channel.giveBack(one);
  channel.giveBack(one);
  channel.fail(two);
  channel.fail(one);
  expect(settlements(broker)).toEqual([
    ["nack", 1, false, true],
    ["reject", 2, true],
  ]);
});

test("a channel that the broker has closed settles nothing any more, and says why", async () => {
  const { broker, channel, raw, deliveries } = await opened();
  raw.deliver("1");
  await raw.fail(refusal(406, "PRECONDITION_FAILED - delivery acknowledgement timed out")).catch(() => undefined);
  expect(channel.isOpen).toBe(false);
  expect(channel.acknowledge(deliveries[0] as UnsettledDelivery)).toBe(false);
  channel.giveBack(deliveries[0] as UnsettledDelivery);
  channel.fail(deliveries[0] as UnsettledDelivery);
  await channel.cancel();
  await channel.close();
  expect(settlements(broker)).toEqual([]);
  await expect(channel.ended).resolves.toMatchObject({ reason: "topology", message: /delivery acknowledgement timed out/ });
});

test("a connection that is gone, and a consumer that the broker cancels, each have their reason", async () => {
  const lost = await opened();
  lost.raw.emit("close");
  await expect(lost.channel.ended).resolves.toMatchObject({ reason: "connection_lost" });
  const cancelled = await opened();
  cancelled.raw.deliver(null);
  await expect(cancelled.channel.ended).resolves.toMatchObject({ reason: "cancelled" });
});

test("a cancel holds acknowledgements until it is confirmed: when the prefetch is used up, at once", async () => {
  const { broker, channel, raw, deliveries } = await opened({ rpcTimeoutMs: 5000 });
  for (const content of ["1", "2"]) raw.deliver(content);
  const cancelling = channel.cancel();
  for (const delivery of deliveries) channel.acknowledge(delivery);
  await turn();
  expect(broker.called("ack")).toEqual([]);
  raw.deliver("3");
  channel.acknowledge(deliveries[2] as UnsettledDelivery);
  await cancelling;
  expect(settlements(broker)).toEqual([
    ["cancel", "tag"],
    ["ack", 3, true],
  ]);
});

test("an ordered consumer settles what it has before it cancels", async () => {
  const { broker, channel, raw, deliveries } = await opened({ prefetch: 1, rpcTimeoutMs: 5000, isOrdered: true });
  raw.deliver("1");
  const cancelling = channel.cancel();
  await turn();
  expect(broker.called("cancel")).toEqual([]);
  channel.acknowledge(deliveries[0] as UnsettledDelivery);
  await cancelling;
  expect(settlements(broker)).toEqual([
    ["cancel", "tag"],
    ["ack", 1, false],
  ]);
});

test("a broker that does not confirm the cancel does not keep the acknowledgements", async () => {
  const { broker, channel, raw, deliveries } = await opened({ prefetch: 1, rpcTimeoutMs: 20 });
  broker.faults.set("cancel", "silence");
  raw.deliver("1");
  channel.acknowledge(deliveries[0] as UnsettledDelivery);
  await channel.cancel();
  expect(broker.called("ack")).toEqual([[1, false]]);
});

test("closing sends what is acknowledged, and gives back the rest as one, in its order", async () => {
  const { broker, channel, raw, deliveries } = await opened();
  for (const content of ["1", "2", "3"]) raw.deliver(content);
  await channel.cancel();
  channel.acknowledge(deliveries[1] as UnsettledDelivery);
  await channel.close();
  await channel.close();
  expect(settlements(broker)).toEqual([
    ["cancel", "tag"],
    ["ack", 2, false],
    ["nack", 3, true, true],
  ]);
  await expect(channel.ended).resolves.toBeUndefined();
});

test("a consumer that is not cancelled is given nothing back: it would get that at once, and what still comes is for the next one", async () => {
  const { broker, channel, raw, messages } = await opened();
  raw.deliver("1");
  const closing = channel.close();
  raw.deliver("2");
  await closing;
  expect([settlements(broker), broker.called("close").length, messages.length]).toEqual([[], 1, 1]);
});

/** How a consumer leaves its queue, as far as the broker sees it. */
const leavings = (broker: FakeBroker): unknown[] =>
  broker.calls.slice(3).map(([name, one, two]) => (name === "consume" ? [name, two] : [name, one]));
const standIn = [
  "consume",
  { consumerTag: "tag-leaving", arguments: { "x-priority": 1_000_000, "x-credit": { credit: { "!": "long", value: 0 }, drain: false } } },
];
const [cancelled, acknowledged, closed] = [
  ["cancel", "tag"],
  ["ack", 1],
  ["close", undefined],
];
const single = { hasSingleActive: true, isOrdered: true, prefetch: 1 };

// Before 4.0, a classic queue that is acknowledged to cancel its single active consumer hands nothing to the next one.
test.each([
  ["RabbitMQ 3.8.2", "RabbitMQ", "3.8.2", single, [standIn, cancelled, acknowledged, closed]],
  ["RabbitMQ 3.13.7", "RabbitMQ", "3.13.7", single, [standIn, cancelled, acknowledged, closed]],
  ["RabbitMQ 4.0.0", "RabbitMQ", "4.0.0", single, [cancelled, acknowledged]],
  ["RabbitMQ 10.0.0", "RabbitMQ", "10.0.0", single, [cancelled, acknowledged]],
  ["RabbitMQ of a version that is none", "RabbitMQ", "", single, [cancelled, acknowledged]],
  ["another broker", "LavinMQ", "2.1.0", single, [cancelled, acknowledged]],
  [
    "RabbitMQ 3.13.7, where the order is not ours",
    "RabbitMQ",
    "3.13.7",
    { ...single, isOrdered: false },
    [standIn, cancelled, acknowledged, closed],
  ],
  [
    "RabbitMQ 3.13.7, where all consumers are active",
    "RabbitMQ",
    "3.13.7",
    { ...single, hasSingleActive: false },
    [cancelled, acknowledged],
  ],
])("how the only active consumer leaves with a message that was handled: %s", async (_, product, version, own, left) => {
  const { broker, channel, raw, deliveries } = await opened({ ...own, rpcTimeoutMs: 5000 }, { product, version });
  raw.deliver("1");
  const cancelling = channel.cancel();
  channel.acknowledge(deliveries[0] as UnsettledDelivery);
  await cancelling;
  expect(leavings(broker)).toEqual(left);
});

test("where the order is not ours, what runs is finished before the next consumer begins", async () => {
  const { broker, channel, raw, deliveries } = await opened({ hasSingleActive: true, rpcTimeoutMs: 5000 }, { version: "3.10.8" });
  for (const content of ["1", "2", "3"]) raw.deliver(content);
  channel.acknowledge(deliveries[0] as UnsettledDelivery);
  await channel.cancel();
  channel.acknowledge(deliveries[1] as UnsettledDelivery);
  await turn();
  expect(leavings(broker)).toEqual([standIn, cancelled, acknowledged, ["ack", 2]]);
  channel.giveBack(deliveries[2] as UnsettledDelivery);
  await turn();
  expect(leavings(broker).slice(4)).toEqual([["nack", 3], closed]);
});

test("a stand-in that can't be had: nothing is cancelled, and the channel takes the acknowledgement with it", async () => {
  const { broker, channel, raw, deliveries } = await opened({ ...single, rpcTimeoutMs: 20 }, { version: "3.10.8" });
  raw.deliver("1");
  broker.faults.set("consume", "silence");
  channel.acknowledge(deliveries[0] as UnsettledDelivery);
  await channel.cancel();
  await channel.close();
  expect(leavings(broker)).toEqual([standIn, acknowledged, closed]);
});

// A cancel would let the next consumer begin with the message after the one that goes back, or is on its way.
test.each<[string, (all: Opened) => void]>([
  ["there is none", () => undefined],
  [
    "one was given back",
    ({ raw, channel, deliveries }) => (raw.deliver("1"), setImmediate(() => channel.giveBack(deliveries[0] as UnsettledDelivery))),
  ],
  ["one is kept", ({ raw, channel, deliveries }) => (raw.deliver("1"), channel.keep(deliveries[0] as UnsettledDelivery))],
])("in order, a consumer without a message to acknowledge closes its channel, whatever the broker: %s", async (_, happens) => {
  for (const version of ["3.10.8", "4.1.0"]) {
    const all = await opened({ ...single, rpcTimeoutMs: 5000 }, { version });
    happens(all);
    await all.channel.cancel();
    expect([version, leavings(all.broker)]).toEqual([version, [closed]]);
  }
});

test("a fault in amqplib's listeners is handed on, not thrown into its parser", async () => {
  const { raw, errors } = await opened();
  const fault = new Error("a fault");
  raw.emit("handler-error", fault);
  expect(errors).toEqual([fault]);
});

test("messages may come before the answer to consume", async () => {
  const broker = new FakeBroker().with("q");
  const model = broker.connect();
  broker.faults.set("consume", "silence");
  const onMessage = vi.fn();
  const opening = ConsumerChannel.open(model, {
    queue: "q",
    prefetch: 1,
    consumerTag: "t",
    rpcTimeoutMs: 200,
    isOrdered: false,
    hasSingleActive: false,
    onMessage,
    onUnheard: () => undefined,
    onError: () => undefined,
  }).catch(() => undefined);
  await vi.waitUntil(() => broker.called("consume").length === 1);
  broker.channels[0]?.deliver("early");
  await opening;
  expect([onMessage.mock.calls.length, broker.called("close").length]).toEqual([1, 1]);
});

test("acknowledgements that were never told are, when the channel has closed, and later ones at once; each once", async () => {
  const { broker, channel, raw, deliveries, unheard } = await opened();
  for (const content of ["told", "leaving", "later", "never"]) raw.deliver(content);
  const [told, leaving, later] = deliveries as [UnsettledDelivery, UnsettledDelivery, UnsettledDelivery];
  channel.acknowledge(told);
  await turn();
  expect(channel.acknowledge(leaving)).toBe(true);
  await raw.fail(refusal(320, "CONNECTION_FORCED")).catch(() => undefined);
  expect(unheard).toEqual([leaving]);
  for (const again of [told, leaving, later, later]) expect(channel.acknowledge(again)).toBe(false);
  expect(unheard).toEqual([leaving, later]);
  await turn();
  expect(settlements(broker)).toEqual([["ack", 1, false]]);
});

/** Two of four messages have been held for a minute: what was acknowledged is in doubt until a question is answered. */
async function longHeld(): Promise<Opened & { readonly asked: () => number }> {
  const all = await opened();
  for (const content of ["1", "2", "3"]) all.raw.deliver(content);
  const first = all.deliveries[0] as UnsettledDelivery;
  vi.spyOn(performance, "now").mockReturnValue(first.receivedAtMs + 60_000);
  all.raw.deliver("4");
  return { ...all, asked: () => all.broker.called("prefetch").length - 1 };
}

test("an acknowledgement after a long time counts as told once the broker has answered what was asked after it", async () => {
  const { broker, channel, raw, deliveries, unheard, asked } = await longHeld();
  const [one, two, three, four] = deliveries as [UnsettledDelivery, UnsettledDelivery, UnsettledDelivery, UnsettledDelivery];
  // No more is asked for one that came just now, though others have been held for long.
  channel.acknowledge(four);
  await turn();
  expect(asked()).toBe(0);
  channel.acknowledge(one);
  await turn();
  expect(asked()).toBe(1);
  broker.faults.set("prefetch", "silence");
  channel.acknowledge(two);
  await turn();
  channel.acknowledge(three);
  await turn();
  // One question at a time.
  expect([asked(), settlements(broker)]).toEqual([2, [4, 1, 2, 3].map((tag) => ["ack", tag, false])]);
  await raw.fail(refusal(320, "CONNECTION_FORCED")).catch(() => undefined);
  expect(unheard).toEqual([two, three]);
  await channel.close();
  expect(unheard).toHaveLength(2);
  vi.restoreAllMocks();
});

test("what is acknowledged while a question is out is asked about when that is answered, whenever it came", async () => {
  const { broker, channel, raw, deliveries, unheard, asked } = await longHeld();
  const [one, , , four] = deliveries as [UnsettledDelivery, UnsettledDelivery, UnsettledDelivery, UnsettledDelivery];
  let answer: () => void = () => undefined;
  const prefetch = vi.spyOn(raw, "prefetch").mockImplementation(() => new Promise<void>((resolve) => (answer = resolve)));
  channel.acknowledge(one);
  await turn();
  channel.acknowledge(four);
  await turn();
  expect([prefetch.mock.calls.length, settlements(broker).length]).toEqual([1, 2]);
  answer();
  await turn();
  expect(prefetch).toHaveBeenCalledTimes(2);
  await raw.fail(refusal(320, "CONNECTION_FORCED")).catch(() => undefined);
  expect([unheard, asked()]).toEqual([[four], 0]);
  vi.restoreAllMocks();
});
