import { expect, test, vi } from "vitest";
import type { AmqpSource } from "../consumer-definition.ts";
import type { Failure } from "../delivery.ts";
import type { ConsumerChannel } from "./consumer-channel.ts";
import { AmqpDelivery, type AmqpDeliveryParts } from "./delivery.ts";
import { headerNames, type FailedMessages } from "./failed-messages.ts";
import { aMessage } from "./fake-broker.ts";
import { UnreadableProperties } from "./survive-headers.ts";
import { UnsettledDelivery } from "./unsettled.ts";

const failure: Failure = { error: new Error("no luck"), failures: 1, retryLimit: 3 };

/** A delivery, and what was done with it, in its order. */
function made(properties: object = {}, fields: object = {}, own: Partial<AmqpDeliveryParts> = {}) {
  const done: string[] = [];
  const channel = {
    isOpen: true,
    acknowledge: () => (done.push("acknowledge"), true),
    giveBack: () => done.push("give back"),
    fail: () => done.push("fail"),
  };
  const way = (name: string) => vi.fn<(...args: unknown[]) => Promise<void>>(async () => void done.push(name));
  const failed = { retry: way("retry"), bury: way("bury"), recount: way("recount") };
  const parts = {
    channel: channel as unknown as ConsumerChannel,
    source: { system: "rabbitmq", queue: "q" } as AmqpSource,
    failed: failed as unknown as FailedMessages,
    isOrdered: false,
    isResumed: false,
    ...own,
  };
  return { delivery: new AmqpDelivery(aMessage("{}", properties, fields), new UnsettledDelivery(1), parts), done, channel, failed };
}

test.each([
  [{}, undefined],
  [{ messageId: "" }, undefined],
  [{ messageId: 7 }, undefined],
  [{ messageId: "m" }, "m"],
])("the id of %j is %s", (properties, id) => expect(made(properties).delivery.id).toBe(id));

test.each([
  [undefined, undefined],
  ["soon", undefined],
  [0, "1970-01-01T00:00:00.000Z"],
  [1_700_000_000, "2023-11-14T22:13:20.000Z"],
  [1_700_000_000_123, "2023-11-14T22:13:20.123Z"],
  [Number.MAX_SAFE_INTEGER, undefined],
  [2 ** 64, undefined],
  [Number.NaN, undefined],
])("a timestamp of %s is the time %s", (timestamp, iso) => {
  expect(made({ timestamp }).delivery.sentAt?.toISOString()).toBe(iso);
});

test.each([
  [{}, {}, 0, 0, false],
  [{ "x-retry-count": 2 }, {}, 2, 0, false],
  [{ "x-retry-count": "2" }, {}, 2, 0, false],
  [{ "x-retry-count": "often" }, {}, 0, 0, false],
  [{ "x-retry-count": -3 }, {}, 0, 0, false],
  [{ "x-retry-count": Number.POSITIVE_INFINITY }, {}, 0, 0, false],
  [{ "x-retry-count": 2.7 }, {}, 2, 0, false],
  [{ "x-retry-count": 3n }, {}, 3, 0, false],
  [{ "x-delivery-count": 2 }, { redelivered: true }, 0, 2, true],
  [{ "x-redelivery-count": 1 }, {}, 0, 1, true],
  [{ "x-redelivery-count": 1, "x-delivery-count": 2, "x-retry-count": 4 }, {}, 4, 3, true],
])("what headers say of earlier runs (%#)", (headers, fields, failures, redeliveries, redelivered) => {
  const { delivery } = made({ headers }, fields);
  expect(delivery).toMatchObject({ failures, redeliveries, redelivered, earlierAttempts: failures + redeliveries });
});

test.each([
  ["new", {}, {}, false, false],
  ["handed out before", { redelivered: true }, {}, true, true],
  ["handed out before, in order", { redelivered: true }, { isOrdered: true }, true, false],
  ["handed out before, to a worker that has lost its connection", { redelivered: true }, { isResumed: true }, false, false],
])("one that is %s: suspect and sent on", (_, fields, own, isSuspect, isSentOn) => {
  const { delivery } = made({}, fields, own);
  expect([delivery.isSuspect, delivery.isUnexplained]).toEqual([isSuspect, isSentOn]);
});

test("the routing key is the one that it was published with, after retries too, but never another queue's", () => {
  const back = { [headerNames.originalQueue]: "q", [headerNames.originalRoutingKey]: "order.new" };
  expect(made({}, { routingKey: "a" }).delivery.routingKey).toBe("a");
  expect(made({ headers: back }, { routingKey: "q" }).delivery.routingKey).toBe("order.new");
  expect(made({ headers: { ...back, [headerNames.originalQueue]: "p" } }, { routingKey: "a" }).delivery.routingKey).toBe("a");
  expect(made({ headers: { ...back, [headerNames.originalRoutingKey]: 7 } }, { routingKey: "a" }).delivery.routingKey).toBe("a");
});

test("what its publisher asks for", () => {
  expect(made({ headers: { "x-retry-limit": 2, "x-ttl": 1000.5 } }).delivery).toMatchObject({ retryLimit: 2, expiresAt: 1_000_500 });
  expect(made({ headers: { "x-retry-limit": "many", "x-ttl": "soon" } }).delivery).toMatchObject({
    retryLimit: undefined,
    expiresAt: undefined,
  });
  expect(made({ headers: { "x-retry-limit": "2", "x-ttl": { "!": "timestamp", value: 1000 } } }).delivery).toMatchObject({
    retryLimit: 2,
    expiresAt: 1_000_000,
  });
  expect(made({ headers: { "x-retry-limit": -1, "x-ttl": null } }).delivery).toMatchObject({ retryLimit: 0, expiresAt: undefined });
  expect(made().delivery).toMatchObject({ retryLimit: undefined, expiresAt: undefined, headers: {}, isStale: false });
});

test("one whose properties can't be read has none, and says why", () => {
  const error = new RangeError("too deep");
  const { delivery } = made(new UnreadableProperties(error));
  expect(delivery).toMatchObject({ unreadable: error, id: undefined, headers: {}, failures: 0, sentAt: undefined });
  expect(made().delivery.unreadable).toBeUndefined();
});

test("copies are written first, acknowledged second", async () => {
  for (const [way, expected] of [
    ["retry", ["retry", "acknowledge"]],
    ["bury", ["bury", "acknowledge"]],
    ["recount", ["recount", "acknowledge"]],
  ] as const) {
    const { delivery, done } = made({}, { redelivered: true });
    if (way === "retry") await delivery.retry(5, failure);
    if (way === "bury") await delivery.bury("rejected", failure);
    if (way === "recount") await delivery.recount();
    expect(done).toEqual(expected);
  }
});

test("a copy that can't be written is not acknowledged", async () => {
  const { delivery, done, failed } = made({}, { redelivered: true });
  for (const way of Object.values(failed)) way.mockRejectedValue(new Error("no broker"));
  await expect(delivery.retry(5, failure)).rejects.toThrow("no broker");
  await expect(delivery.bury("rejected", failure)).rejects.toThrow("no broker");
  await expect(delivery.recount()).rejects.toThrow("no broker");
  expect(done).toEqual([]);
});

test.each([
  [{}, 1],
  [{ "x-redelivery-count": 2 }, 3],
  // A quorum queue has counted this return, and others before it; its own count ends with the copy.
  [{ "x-delivery-count": 1 }, 1],
  [{ "x-redelivery-count": 2, "x-delivery-count": 1 }, 3],
  [{ "x-redelivery-count": 2, "x-delivery-count": 5 }, 7],
])("a return without a word adds to those that were counted already: %j", async (headers, redeliveries) => {
  const { delivery, failed } = made({ headers }, { redelivered: true });
  await delivery.recount();
  expect(failed.recount.mock.calls[0]?.[2]).toBe(redeliveries);
});

test("the others go by the channel, and it is stale when that is closed", () => {
  const { delivery, done, channel } = made();
  delivery.giveBack();
  delivery.fail();
  expect([done, delivery.isStale]).toEqual([["give back", "fail"], false]);
  channel.isOpen = false;
  expect(delivery.isStale).toBe(true);
});
