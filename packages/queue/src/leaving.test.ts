import type { Logger } from "pino";
import { expect, test, vi } from "vitest";
import type { Delivery } from "./delivery.ts";
import { FailedRuns } from "./failed-runs.ts";
import { FinishedMessages } from "./finished-messages.ts";
import { InterruptedMessages } from "./interrupted-messages.ts";
import { Leaving } from "./leaving.ts";
import { messageKey } from "./message-key.ts";
import { readConsumers } from "./read-consumers.ts";
import type { QueueMetrics } from "./queue-metrics.ts";
import { QueueRun } from "./queue-run.ts";
import { Redeliveries } from "./redeliveries.ts";
import { queueSettings } from "./settings.ts";
import { Turns } from "./turns.ts";

/** A consumer's parts for leaving, with what they tell: the outcomes that were counted, and the log's texts. */
function made({ ordered = false, settings = {} }: { ordered?: boolean; settings?: Record<string, string> } = {}) {
  const [definition] = readConsumers(
    { consumers: [{ name: "c", amqp: { queue: "q", ordered }, handle: () => undefined }] },
    queueSettings({ retry_delay: "20 milliseconds", retry_limit: "2", ...settings }),
  );
  if (definition === undefined) throw new Error("expected a consumer");
  const outcomes: string[] = [];
  const told: string[] = [];
  const tell = (_: object, text: string): void => void told.push(text);
  const log = { info: tell, warn: tell, error: tell, child: () => log } as unknown as Logger;
  const metrics = {
    left: (outcome: string) => outcomes.push(outcome),
    buried: (reason: string) => outcomes.push(reason),
  } as unknown as QueueMetrics;
  const [stopping, returning] = [new AbortController(), new AbortController()];
  const finished = new FinishedMessages(10, []);
  const turns = new Turns(ordered);
  const onLeft = vi.fn();
  const interrupted = new InterruptedMessages();
  const leaving = new Leaving({ turns, finished, interrupted, log, metrics, returning: returning.signal, onLeft });
  const shared = { turns, finished, leaving, log, metrics };
  const failedRuns = new FailedRuns({ ...shared, definition, stopping: stopping.signal, onLeft });
  const redeliveries = new Redeliveries({ ...shared, definition, interrupted, failedRuns, onAdded: onLeft });
  const runOf = (delivery: Delivery, failuresHere = 0): QueueRun =>
    new QueueRun(definition, delivery, messageKey(delivery), failuresHere, log);
  return { leaving, failedRuns, redeliveries, interrupted, finished, turns, outcomes, told, stopping, returning, onLeft, runOf };
}

function aDelivery(of: Partial<Delivery> = {}): Delivery {
  const ways = {
    acknowledge: vi.fn(() => true),
    giveBack: vi.fn(),
    fail: vi.fn(),
    retry: vi.fn(async () => undefined),
    bury: vi.fn(async () => undefined),
  };
  const base = { id: "m", bytes: Buffer.from("{}"), headers: {}, failures: 0, earlierAttempts: 0, isCopiedForRetry: true, isStale: false };
  return { ...base, ...ways, ...of } as unknown as Delivery;
}

test("what is acknowledged is counted and known from then on, whether the broker answers at once or later", async () => {
  for (const acknowledge of [() => true, () => Promise.resolve(true)]) {
    const { leaving, outcomes, finished } = made();
    leaving.acknowledge(aDelivery({ acknowledge }), 7);
    await vi.waitUntil(() => leaving.size === 0);
    expect([outcomes, finished.find(7)]).toEqual([["ack"], true]);
  }
  const { leaving, outcomes } = made();
  leaving.acknowledge(aDelivery({ acknowledge: () => false }), 7);
  expect(outcomes).toEqual(["stale"]);
});

test("a fault of ours is told, and nothing waits for it for ever", async () => {
  const { leaving, told, onLeft } = made();
  leaving.track(Promise.reject(new Error("a fault")));
  expect(leaving.size).toBe(1);
  await vi.waitUntil(() => leaving.size === 0);
  expect([told, onLeft.mock.calls.length]).toEqual([["a message could not be settled"], 1]);
});

test("a retry that can't be written is held, tried again, and said once", async () => {
  const { leaving, outcomes, told } = made();
  const one = aDelivery();
  let tries = 0;
  const write = async (): Promise<void> => {
    tries += 1;
    if (tries < 3) throw new Error("no broker");
  };
  await leaving.write(one, 7, "retry", write);
  expect([tries, outcomes, told.length]).toEqual([3, ["retry"], 1]);
  expect([one.acknowledge, one.giveBack].flatMap((way) => vi.mocked(way).mock.calls)).toEqual([]);
});

test("one that is held goes back at a stop, and is given up when the broker has taken it back", async () => {
  const fails = (): Promise<void> => Promise.reject(new Error("no broker"));
  const stopped = made();
  const one = aDelivery();
  const held = stopped.leaving.write(one, 7, "dead", fails);
  stopped.returning.abort();
  await held;
  expect([stopped.outcomes, vi.mocked(one.giveBack).mock.calls.length, stopped.finished.find(7)]).toEqual([["returned"], 1, undefined]);
  const stale = made();
  await stale.leaving.write(aDelivery({ isStale: true }), 7, "dead", fails);
  expect([stale.outcomes, stale.finished.find(7)]).toEqual([["stale"], undefined]);
});

test.each([
  [0, "retry", [20, { failures: 1, retryLimit: 2 }]],
  [1, "retry", [20, { failures: 2, retryLimit: 2 }]],
  [2, "dead", ["retries", { failures: 3, retryLimit: 2 }]],
] as const)("after %i failures a failed run is a %s", async (failures, outcome, expected) => {
  const { failedRuns, outcomes, runOf } = made();
  const one = aDelivery({ failures });
  const error = new Error("no luck");
  await failedRuns.retry(runOf(one), error);
  expect(outcomes.at(-1)).toBe(outcome);
  const way = vi.mocked(outcome === "retry" ? one.retry : one.bury) as unknown as { mock: { calls: unknown[][] } };
  expect(way.mock.calls).toMatchObject([[expected[0], { ...expected[1], error }]]);
});

test("a message's own limit ends its retries sooner; without dead letters it is thrown away", async () => {
  const { failedRuns, outcomes, runOf } = made({ settings: { dead_letter: "false" } });
  const one = aDelivery({ retryLimit: 0 });
  await failedRuns.retry(runOf(one), new Error("no luck"));
  expect([outcomes, vi.mocked(one.acknowledge).mock.calls.length]).toEqual([["retries", "discarded"], 1]);
});

test("where there is an order a failed one comes first again, counted here, and goes back when a stop comes first", async () => {
  const { failedRuns, turns, outcomes, runOf } = made({ ordered: true });
  const [one, other] = [aDelivery({ id: "one" }), aDelivery({ id: "other" })];
  turns.add(one);
  turns.take(0);
  turns.add(other);
  await failedRuns.retry(runOf(one), new Error("no luck"));
  expect([outcomes, failedRuns.failuresHere(one), failedRuns.failuresHere(other)]).toEqual([["retry"], 1, 0]);
  expect(turns.take(turns.next()).id).toBe("one");
  const stopped = made({ ordered: true });
  stopped.stopping.abort();
  await stopped.failedRuns.retry(stopped.runOf(one), new Error("no luck"));
  expect([stopped.outcomes, vi.mocked(one.giveBack).mock.calls.length]).toEqual([["returned"], 1]);
});

test("what comes again and was finished is acknowledged, what was not runs, or is sent on with that counted", async () => {
  const { redeliveries, finished, turns, outcomes } = made();
  const recount = vi.fn(async () => undefined);
  const [known, unknown] = [aDelivery({ id: "known", recount }), aDelivery({ id: "unknown", recount, isUnexplained: true })];
  finished.end(messageKey(known) as number, true);
  await redeliveries.comeBack(known);
  await redeliveries.runUnlessFinished(known);
  expect([outcomes, vi.mocked(known.acknowledge).mock.calls.length, recount.mock.calls.length]).toEqual([
    ["deduplicated", "deduplicated"],
    2,
    0,
  ]);
  await redeliveries.comeBack(unknown);
  expect([outcomes.at(-1), recount.mock.calls.length, turns.size]).toEqual(["recounted", 1, 0]);
  await redeliveries.runUnlessFinished(unknown);
  expect(turns.size).toBe(1);
});

test("one that can't be sent on runs as it is, and one that the broker has taken back is forgotten", async () => {
  const { redeliveries, turns, outcomes } = made();
  await redeliveries.comeBack(aDelivery({ isUnexplained: true, recount: () => Promise.reject(new Error("no broker")) }));
  expect([turns.size, outcomes]).toEqual([1, []]);
  await redeliveries.comeBack(aDelivery({ isStale: true, recount: () => Promise.reject(new Error("never called")) }));
  await redeliveries.runUnlessFinished(aDelivery({ isStale: true }));
  expect(turns.size).toBe(1);
});

/** A delivery that comes again, with its copies told apart by their names. */
const again = (own: Partial<Delivery> = {}): Delivery => aDelivery({ id: undefined, recount: vi.fn(async () => undefined), ...own });
const calls = (way: unknown): unknown[][] => vi.mocked(way as () => void).mock.calls;

test.each(["retry", "dead"] as const)(
  "a failed one that the broker had taken back is a %s when it comes again, with its failure",
  async (outcome) => {
    const { failedRuns, redeliveries, outcomes, runOf } = made();
    const failures = outcome === "dead" ? 2 : 0;
    const error = new Error("no luck");
    const [first, second] = [again({ isStale: true, failures }), again({ failures })];
    await failedRuns.retry(runOf(first), error);
    await redeliveries.comeBack(second);
    expect(outcomes).toEqual(outcome === "dead" ? ["stale", "retries", "dead"] : ["stale", "retry"]);
    expect(calls(outcome === "dead" ? second.bury : second.retry)[0]?.[1]).toMatchObject({ error, failures: failures + 1 });
    expect([first.retry, first.bury, second.recount].flatMap(calls)).toEqual([]);
  },
);

test("one that was lost in a run that said nothing is sent on once for each loss, and runs then", async () => {
  const { redeliveries, interrupted, turns, outcomes } = made();
  for (const count of [1, 2]) {
    interrupted.failed(again({ isStale: true }));
    const delivery = again();
    await redeliveries.comeBack(delivery);
    expect([outcomes.length, calls(delivery.recount).length]).toEqual([count, 1]);
    await redeliveries.comeBack(again());
    expect(turns.size).toBe(count);
  }
});

test("in order nothing is sent on: after so many losses here it is a dead letter", async () => {
  const { redeliveries, interrupted, turns, outcomes } = made({ ordered: true });
  for (let loss = 1; loss <= 6; loss += 1) {
    interrupted.failed(again({ isStale: true }));
    await redeliveries.comeBack(again());
  }
  expect([turns.size, outcomes]).toEqual([5, ["crashed", "dead"]]);
});

test("in order a failed one that the broker takes back while it waits in its place is forgotten, its loss is not", async () => {
  for (const isStale of [true, false]) {
    const { failedRuns, interrupted, turns, outcomes, runOf } = made({ ordered: true });
    const delivery = again({ isStale });
    const held = failedRuns.retry(runOf(delivery), new Error("no luck"));
    Object.assign(delivery, { isStale: true });
    await held;
    expect([outcomes, turns.size, interrupted.lossesOf(again())]).toEqual([["stale"], 0, 1]);
  }
});

test.each([
  ["while it waits", false, "m"],
  ["while it ran", true, "m"],
  ["while it waits, without an id", false, undefined],
])("in order the runs that failed before the broker took it back count: %s", async (_, isStale, id) => {
  const { failedRuns, runOf } = made({ ordered: true });
  const delivery = again({ id, isStale });
  const held = failedRuns.retry(runOf(delivery, 1), new Error("no luck"));
  Object.assign(delivery, { isStale: true });
  await held;
  const back = again({ id, redelivered: true });
  expect([failedRuns.failuresHere(back), failedRuns.failuresHere(back)]).toEqual([2, 0]);
});

test("in order they count for no other message, and where there is none for nothing", async () => {
  const redelivered = true;
  for (const other of [{ redelivered: false }, { id: "n", redelivered }, { bytes: Buffer.from("[]"), redelivered }]) {
    const { failedRuns, runOf } = made({ ordered: true });
    await failedRuns.retry(runOf(again({ isStale: true })), new Error("no luck"));
    expect(failedRuns.failuresHere(again(other))).toBe(0);
  }
  const { failedRuns, runOf } = made();
  await failedRuns.retry(runOf(again({ isStale: true })), new Error("no luck"));
  expect(failedRuns.failuresHere(again({ redelivered }))).toBe(0);
});
