import { ActiveRequests } from "@tsserve/server";
import type { Logger } from "pino";
import { expect, test, vi } from "vitest";
import { Consumer } from "./consumer.ts";
import type { ConsumerOptions } from "./consumer-options.ts";
import type { Delivery } from "./delivery.ts";
import { FatalError } from "./outcome-errors.ts";
import { readConsumers } from "./read-consumers.ts";
import { queueSettings } from "./settings.ts";
import { Slots } from "./slots.ts";

interface Given {
  readonly raw?: Readonly<Record<string, string>>;
  readonly amqp?: object;
  readonly slots?: Slots;
  readonly handle?: ConsumerOptions["handle"];
}

/** A consumer, and how its handlers are ended: in the order of their messages' ids. */
function made({ raw = {}, amqp = {}, slots = new Slots(10), handle }: Given = {}) {
  const running = new Map<string, { resolve: () => void; reject: (error: unknown) => void }>();
  const begun: string[] = [];
  const wait: ConsumerOptions["handle"] = ({ id = "" }) =>
    new Promise<void>((resolve, reject) => {
      begun.push(id);
      running.set(id, { resolve, reject });
    });
  const consumers = [{ name: "c", amqp: { queue: "q", ...amqp }, handle: handle ?? wait }];
  const [definition] = readConsumers({ consumers }, queueSettings({ retry_delay: "10 seconds", ...raw }));
  if (definition === undefined) throw new Error("expected a consumer");
  const told: string[] = [];
  const tell = (_: unknown, text?: string): void => void told.push(text ?? "");
  const log = { info: tell, warn: tell, error: tell, child: () => log } as unknown as Logger;
  const requests = new ActiveRequests();
  const onFatal = vi.fn();
  const consumer = new Consumer(definition, { slots, requests, log, appLog: log, metricsOf: () => undefined, onFatal });
  return { consumer, begun, running, requests, told, onFatal };
}

function aDelivery(id: string, own: Partial<Delivery> = {}) {
  const left: string[] = [];
  const delivery = {
    id,
    bytes: Buffer.from("{}"),
    headers: {},
    failures: 0,
    redeliveries: 0,
    earlierAttempts: 0,
    receivedAt: 0,
    isCopiedForRetry: true,
    isStale: false,
    isSuspect: false,
    redelivered: false,
    acknowledge: () => (left.push("acknowledged"), true),
    giveBack: () => void left.push("given back"),
    fail: () => void left.push("failed"),
    retry: async () => void left.push("retried"),
    bury: async (reason: string) => void left.push(reason),
    ...own,
  };
  return { delivery: delivery as unknown as Delivery, left };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("as many run at once as may, the others wait in the order in which they came", async () => {
  const { consumer, begun, running, requests } = made({ raw: { max_concurrency: "2" } });
  for (const id of ["a", "b", "c", "d"]) consumer.deliver(aDelivery(id).delivery);
  expect([begun, consumer.active, consumer.buffered, requests.size]).toEqual([["a", "b"], 2, 2, 2]);
  running.get("b")?.resolve();
  await turn();
  expect([begun, consumer.active, consumer.buffered]).toEqual([["a", "b", "c"], 2, 1]);
});

test("consumers share the places of their process, and who waits longest comes first", async () => {
  const slots = new Slots(1);
  const [one, other] = [made({ slots }), made({ slots })];
  one.consumer.deliver(aDelivery("a").delivery);
  other.consumer.deliver(aDelivery("b").delivery);
  expect([one.begun, other.begun]).toEqual([["a"], []]);
  one.running.get("a")?.resolve();
  await turn();
  expect(other.begun).toEqual(["b"]);
});

test.each([
  [true, true, 1],
  [true, false, 0],
  [false, true, 0],
])("ordered: %s, handed out before: %s: that nothing is known of it is told so often: %s", (ordered, isSuspect, count) => {
  const { consumer, begun, told } = made({ amqp: { ordered } });
  consumer.deliver(aDelivery("a", { isSuspect, redelivered: isSuspect }).delivery);
  expect([begun, told.filter((text) => text.includes("nothing is known of its last run")).length]).toEqual([["a"], count]);
});

test("an ordered consumer runs one at a time, and a failed one before the next", async () => {
  const { consumer, begun, running } = made({ amqp: { ordered: true }, raw: { retry_delay: "1 millisecond" } });
  for (const id of ["a", "b"]) consumer.deliver(aDelivery(id).delivery);
  running.get("a")?.reject(new Error("no luck"));
  await vi.waitUntil(() => begun.length === 2);
  expect(begun).toEqual(["a", "a"]);
  running.get("a")?.resolve();
  await vi.waitUntil(() => begun.length === 3);
  expect(begun[2]).toBe("b");
});

test("what runs here, or has, is not run again when the broker hands it out once more", async () => {
  const { consumer, begun, running } = made();
  const [first, second, third] = [aDelivery("a"), aDelivery("a", { redelivered: true }), aDelivery("a", { redelivered: true })];
  consumer.deliver(first.delivery);
  consumer.deliver(second.delivery);
  await turn();
  expect([begun, second.left]).toEqual([["a"], []]);
  running.get("a")?.resolve();
  await vi.waitUntil(() => second.left.length > 0);
  consumer.deliver(third.delivery);
  await vi.waitUntil(() => third.left.length > 0);
  expect([begun, first.left, second.left, third.left]).toEqual([["a"], ["acknowledged"], ["acknowledged"], ["acknowledged"]]);
});

test("of those that may end their worker one runs at a time, until one has succeeded", async () => {
  const { consumer, begun, running } = made();
  for (const id of ["a", "b", "c"]) consumer.deliver(aDelivery(id, { isSuspect: true }).delivery);
  consumer.deliver(aDelivery("other").delivery);
  expect(begun).toEqual(["a", "other"]);
  running.get("a")?.resolve();
  await turn();
  expect(begun).toEqual(["a", "other", "b", "c"]);
});

test.each<[string, Partial<Delivery>, string]>([
  ["too large", { bytes: Buffer.alloc(2048) }, "oversized"],
  ["too old", { expiresAt: 1 }, "expired"],
  ["no JSON", { bytes: Buffer.from("{") }, "unparseable"],
])("one that is %s is a dead letter, and no handler sees it", async (_, own, reason) => {
  const { consumer, begun } = made({ raw: { max_message_size: "1K" } });
  const { delivery, left } = aDelivery("a", own);
  consumer.deliver(delivery);
  await vi.waitUntil(() => left.length > 0);
  expect([left, begun]).toEqual([[reason], []]);
});

test("a FatalError leaves its message until the subscription has ended, and ends the server", async () => {
  const { consumer, running, onFatal } = made();
  const keep = vi.fn();
  const { delivery, left } = aDelivery("a", { keep });
  consumer.deliver(delivery);
  const fatal = new FatalError("the disk is gone");
  running.get("a")?.reject(fatal);
  await turn();
  expect([left, keep.mock.calls.length, onFatal.mock.calls, consumer.active]).toEqual([[], 1, [[fatal]], 0]);
});

test("a handler that takes too long counts as failed, once, whatever it does afterwards", async () => {
  const { consumer, running } = made({ raw: { message_timeout: "0.02" } });
  const { delivery, left } = aDelivery("a");
  consumer.deliver(delivery);
  await vi.waitUntil(() => left.length > 0);
  running.get("a")?.resolve();
  await turn();
  expect([left, consumer.active]).toEqual([["retried"], 0]);
});

test("what waits when the subscription is lost is forgotten, what runs is not; it says so once as a loss, then as waiting", async () => {
  const { consumer, running, told } = made({ raw: { max_concurrency: "1" } });
  consumer.subscribed();
  const [runs, waits] = [aDelivery("a"), aDelivery("b", { isStale: true })];
  consumer.deliver(runs.delivery);
  consumer.deliver(waits.delivery);
  consumer.unsubscribed("connection_lost", new Error("gone"));
  consumer.unsubscribed("unreachable", new Error("still gone"));
  expect([consumer.active, consumer.buffered, consumer.isSubscribed, consumer.lastError?.message]).toEqual([1, 0, false, "still gone"]);
  expect(told.slice(-2)).toEqual([expect.stringMatching(/subscription is gone/), expect.stringMatching(/can't subscribe yet/)]);
  running.get("a")?.resolve();
  await turn();
  expect([runs.left, waits.left]).toEqual([["acknowledged"], []]);
});

test("a stop finishes what has been delivered", async () => {
  const { consumer, running } = made({ raw: { max_concurrency: "1" } });
  const all = ["a", "b"].map((id) => aDelivery(id));
  for (const { delivery } of all) consumer.deliver(delivery);
  const never = new AbortController().signal;
  const stopping = consumer.stop(never, never);
  running.get("a")?.resolve();
  await turn();
  running.get("b")?.resolve();
  expect(await stopping).toBe(0);
  expect(all.map(({ left }) => left)).toEqual([["acknowledged"], ["acknowledged"]]);
});

test("near the deadline what has not begun goes back, what runs is asked to end, and what does not is cut and told of", async () => {
  const signals: AbortSignal[] = [];
  const { consumer, told } = made({
    raw: { max_concurrency: "1" },
    handle: (_, { signal }) => (signals.push(signal), new Promise(() => undefined)),
  });
  const [runs, waits, late] = [aDelivery("a"), aDelivery("b"), aDelivery("c")];
  consumer.deliver(runs.delivery);
  consumer.deliver(waits.delivery);
  const [returnAt, deadline] = [new AbortController(), new AbortController()];
  const stopping = consumer.stop(returnAt.signal, deadline.signal);
  returnAt.abort();
  await turn();
  expect([waits.left, signals[0]?.aborted]).toEqual([["given back"], true]);
  consumer.deliver(late.delivery);
  expect(late.left).toEqual(["given back"]);
  deadline.abort();
  expect(await stopping).toBe(1);
  // Unsettled: closing the channel gives it back.
  expect(runs.left).toEqual([]);
  expect(told.at(-1)).toMatch(/a run of c was cut after \d+ ms: the message goes back to q/);
});
