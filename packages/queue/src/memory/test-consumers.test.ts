import { expect, test } from "vitest";
import type { ConsumerOptions } from "../consumer-options.ts";
import { FatalError, RejectMessage, RetryMessage } from "../outcome-errors.ts";
import { testConsumers } from "./test-consumers.ts";

function app(handle: ConsumerOptions["handle"], more: Partial<ConsumerOptions> = {}): { consumers: ConsumerOptions[] } {
  return { consumers: [{ name: "orders", amqp: { queue: "orders" }, handle, ...more }] };
}

const raise = (value: unknown): never => {
  throw value;
};

const throwing = (): never => raise(new Error("a getter"));

/** What else than an error may be thrown. */
const thrown: readonly unknown[] = [
  null,
  undefined,
  "text",
  0,
  5n,
  Symbol("symbol"),
  {},
  Object.freeze(new Error("frozen")),
  Object.create(null),
  Object.defineProperty(new Error("name"), "name", { get: throwing }),
  Object.defineProperty(new Error("message"), "message", { get: throwing, enumerable: true }),
  Object.defineProperty(new Error("stack"), "stack", { get: throwing }),
  Object.defineProperty(new Error("other"), "other", { get: throwing, enumerable: true }),
  Object.defineProperty(new RetryMessage(), "after", { get: throwing }),
  new Proxy({}, { get: throwing, getPrototypeOf: throwing, ownKeys: throwing, has: throwing }),
  new Proxy(new Error("proxy"), { get: throwing, getPrototypeOf: throwing }),
];

test("what a handler does decides what becomes of a message", async () => {
  const acts: Record<string, () => unknown> = {
    resolves: async () => undefined,
    returns: () => 7,
    "throws at once": () => {
      throw new Error("at once");
    },
    rejects: async () => Promise.reject(new Error("later")),
    "throws nothing": async () => Promise.reject(undefined),
    retries: () => Promise.reject(new RetryMessage({ after: "2 seconds" })),
    "retries nonsense": () => Promise.reject(new RetryMessage({ after: "soon" })),
    "rejects the message": () => Promise.reject(new RejectMessage("no")),
    "is a thenable": () => ({ then: (resolve: () => void) => resolve() }),
    "is a thenable that throws": () => ({
      get then() {
        throw new Error("a getter");
      },
    }),
    "is a promise that can't be taken": () =>
      Object.defineProperty(Promise.resolve(), "constructor", {
        get: () => {
          throw new Error("a getter");
        },
      }),
    ...Object.fromEntries(
      thrown.flatMap((value, n) => [
        [`throws ${n}`, () => raise(value)],
        [`rejects ${n}`, () => Promise.reject(value)],
      ]),
    ),
  };
  const outcomes: Record<string, unknown> = {};
  for (const [name, act] of Object.entries(acts)) {
    const consumers = testConsumers(app(act), { settings: { retry_delay: "5 seconds" } });
    const fate = await consumers.deliver("orders", { body: {} });
    outcomes[name] = fate.outcome === "retried" ? fate.delayMs : fate.outcome === "dead" ? fate.reason : fate.outcome;
    expect(await consumers.stop()).toBe(0);
  }
  expect(outcomes).toEqual({
    resolves: "acknowledged",
    returns: "acknowledged",
    "throws at once": 5000,
    rejects: 5000,
    "throws nothing": 5000,
    retries: 2000,
    "retries nonsense": 5000,
    "rejects the message": "rejected",
    "is a thenable": "acknowledged",
    "is a thenable that throws": 5000,
    "is a promise that can't be taken": 5000,
    ...Object.fromEntries(
      thrown.flatMap((_, n) => [
        [`throws ${n}`, 5000],
        [`rejects ${n}`, 5000],
      ]),
    ),
  });
});

test("retries end at the limit, their delays follow the list", async () => {
  const consumers = testConsumers(app(() => Promise.reject(new Error("no")), { retry: { limit: 3, delays: [100, "1 second"] } }));
  const fates = [];
  for (const attempt of [1, 2, 3, 4]) fates.push(await consumers.deliver("orders", { body: {}, attempt }));
  expect(fates).toMatchObject([{ delayMs: 100 }, { delayMs: 1000 }, { delayMs: 1000 }, { outcome: "dead", reason: "retries" }]);
});

test("bodies that can't be read, and those that are too large, reach no handler", async () => {
  let runs = 0;
  const consumers = testConsumers(
    app(() => (runs += 1)),
    { settings: { max_message_size: "10" } },
  );
  expect(await consumers.deliver("orders", { body: Buffer.from("{") })).toMatchObject({ outcome: "dead", reason: "unparseable" });
  expect(await consumers.deliver("orders", { body: "x".repeat(20) })).toMatchObject({ outcome: "dead", reason: "oversized" });
  expect(runs).toBe(0);
});

test("a FatalError gives everything back", async () => {
  const consumers = testConsumers(app(() => Promise.reject(new FatalError("over"))));
  expect(await consumers.deliver("orders", { body: {} })).toEqual({ outcome: "returned" });
  expect(consumers.fatalError?.message).toBe("over");
});

test("no more run at once than may; a stop finishes what waits, and cuts what does not end", async () => {
  let running = 0;
  let most = 0;
  const handle = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running -= 1;
  };
  const consumers = testConsumers(app(handle, { concurrency: 2 }));
  const fates = Array.from({ length: 20 }, (_, n) => consumers.deliver("orders", { body: n }));
  expect(await consumers.stop(5000)).toBe(0);
  expect(await Promise.all(fates)).toEqual(fates.map(() => ({ outcome: "acknowledged" })));
  expect(most).toBe(2);
  const stuck = testConsumers(app(() => new Promise(() => undefined), { concurrency: 1 }));
  const left = [stuck.deliver("orders", { body: 1 }), stuck.deliver("orders", { body: 2 })];
  expect(await stuck.stop(50)).toBe(1);
  expect(await Promise.all(left)).toEqual([{ outcome: "returned" }, { outcome: "returned" }]);
});

test("two consumers share the places, and neither starves", async () => {
  const order: string[] = [];
  const consumer = (name: string): ConsumerOptions => ({
    name,
    amqp: { queue: name },
    handle: async () => {
      order.push(name);
      await new Promise((resolve) => setImmediate(resolve));
    },
  });
  const consumers = testConsumers({ consumers: [consumer("a"), consumer("b")] }, { settings: { max_concurrency: "1" } });
  await Promise.all(["a", "a", "a", "b", "b", "b"].map((name) => consumers.deliver(name, { body: 1 })));
  expect(order.toSorted()).toEqual(["a", "a", "a", "b", "b", "b"]);
  expect(order.indexOf("b")).toBeLessThan(3);
});

test("one that came before, and is in progress or done, is not handled again", async () => {
  let runs = 0;
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const consumers = testConsumers(app(() => ((runs += 1), gate)));
  const message = { body: 1, id: "one", sentAt: new Date(0) };
  const first = consumers.deliver("orders", message);
  const second = consumers.deliver("orders", { ...message, redelivered: true });
  // Of the same id, but another message: an id that all messages share must lose none.
  const other = consumers.deliver("orders", { ...message, body: 2, redelivered: true });
  release();
  expect(await Promise.all([first, second, other])).toEqual(Array.from({ length: 3 }, () => ({ outcome: "acknowledged" })));
  expect(await consumers.deliver("orders", { ...message, redelivered: true })).toEqual({ outcome: "acknowledged" });
  expect(runs).toBe(2);
});
