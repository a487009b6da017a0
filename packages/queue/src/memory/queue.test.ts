import { expect, test, vi } from "vitest";
import type { Sink } from "../broker.ts";
import type { Delivery, Failure } from "../delivery.ts";
import { MemoryBroker } from "./broker.ts";
import { MemoryQueue } from "./queue.ts";
import { MemorySubscription } from "./subscription.ts";

const failure: Failure = { error: new Error("no luck"), failures: 1, retryLimit: 3 };

function made() {
  const deliveries: Delivery[] = [];
  const sink: Sink = {
    subscribed: vi.fn(),
    unsubscribed: vi.fn(),
    unheard: vi.fn(),
    deliver: (delivery) => void deliveries.push(delivery),
  };
  const subscription = new MemorySubscription(sink);
  return { sink, subscription, deliveries, queue: new MemoryQueue(subscription) };
}

const last = (deliveries: readonly Delivery[]): Delivery => deliveries.at(-1) ?? expect.fail("nothing was delivered");

test("what is published is delivered at once, whole", () => {
  const { queue, deliveries, sink } = made();
  expect(sink.subscribed).toHaveBeenCalledOnce();
  queue.publish({ body: { id: 1 }, headers: { a: "b" }, routingKey: "order.new", topic: "t", id: "m", attempt: 3, redelivered: true });
  expect(last(deliveries)).toMatchObject({
    id: "m",
    contentType: "application/json",
    headers: { a: "b" },
    routingKey: "order.new",
    topic: "t",
    failures: 2,
    earlierAttempts: 2,
    redelivered: true,
  });
  expect(last(deliveries).bytes.toString()).toBe('{"id":1}');
});

test("a retry comes again after its delay with the failure counted, what goes back comes again as redelivered", async () => {
  const { queue, deliveries } = made();
  queue.publish({ body: 1 });
  await last(deliveries).retry(5, failure);
  await vi.waitUntil(() => deliveries.length === 2);
  expect(last(deliveries)).toMatchObject({ failures: 1, redelivered: false });
  await last(deliveries).giveBack();
  await vi.waitUntil(() => deliveries.length === 3);
  expect(last(deliveries)).toMatchObject({ failures: 1, redelivered: true });
  await last(deliveries).acknowledge();
  await new Promise((resolve) => setImmediate(resolve));
  expect([deliveries.length, queue.dead, queue.waiting]).toEqual([3, 0, 0]);
});

test("the dead are counted, and so is what comes after a cancel", async () => {
  const { queue, subscription, deliveries } = made();
  queue.publish({ body: 1 });
  await last(deliveries).bury("rejected", failure);
  await vi.waitUntil(() => queue.dead === 1);
  await subscription.cancel();
  queue.publish({ body: 2 });
  expect([deliveries.length, queue.waiting, subscription.state.isSubscribed]).toEqual([1, 1, false]);
});

test("closing gives back what is held, and a test that delivers afterwards is told", async () => {
  const { subscription, deliveries } = made();
  const fates = [subscription.deliver({ body: 1 }), subscription.deliver({ body: 2 })];
  await deliveries[0]?.acknowledge();
  await subscription.close();
  expect(await Promise.all(fates)).toEqual([{ outcome: "acknowledged" }, { outcome: "returned" }]);
  expect(() => subscription.deliver({ body: 3 })).toThrow(/has been stopped/);
});

test("a broker in memory keeps its subscriptions by their consumers' names", async () => {
  const broker = new MemoryBroker();
  await broker.prepare();
  const { sink } = made();
  const subscription = broker.subscribe({ name: "orders" } as never, sink);
  await subscription.first;
  expect(broker.subscriptions.get("orders")).toBe(subscription);
  await broker.close();
});
