import { expect, test } from "vitest";
import type { Delivery } from "./delivery.ts";
import { InterruptedMessages } from "./interrupted-messages.ts";

interface Settable {
  isStale: boolean;
}

/** Each is a delivery of its own; those with the same body and the same properties are the same to a handler. */
function aDelivery(body: string, own: Partial<Delivery> = {}): Delivery & Settable {
  const recount = async (): Promise<void> => undefined;
  return { id: undefined, bytes: Buffer.from(body), failures: 0, isCopiedForRetry: true, isStale: false, recount, ...own } as Delivery;
}

/** One whose broker has taken it back, while or after it ran. */
const taken = (body: string, own: Partial<Delivery> = {}): Delivery => aDelivery(body, { isStale: true, ...own });

test("what was finished is taken once for each run, and nothing else is", async () => {
  const interrupted = new InterruptedMessages();
  interrupted.finished(taken("a"));
  interrupted.finished(taken("a"));
  interrupted.finished(taken("b"));
  const answers: boolean[] = [];
  for (const body of ["a", "a", "a", "c", "b", "b"]) answers.push(await interrupted.takeFinished(aDelivery(body)));
  expect(answers).toEqual([true, true, false, false, true, false]);
});

test("what still runs is waited for; a failed run leaves it to be counted, once for each loss", async () => {
  const interrupted = new InterruptedMessages();
  const [well, badly] = [taken("well"), taken("badly")];
  for (const each of [well, badly, aDelivery("of another channel")]) interrupted.lost(each);
  expect(interrupted.size).toBe(2);
  const [wellAgain, badlyAgain] = [aDelivery("well"), aDelivery("badly")];
  const answers = Promise.all([interrupted.takeFinished(wellAgain), interrupted.takeFinished(badlyAgain)]);
  interrupted.finished(well);
  interrupted.failed(badly);
  expect(await answers).toEqual([true, false]);
  expect([interrupted.takeLoss(badlyAgain), interrupted.takeLoss(badlyAgain), interrupted.takeLoss(wellAgain)]).toEqual([
    true,
    false,
    false,
  ]);
  expect([interrupted.lossesOf(badlyAgain), interrupted.lossesOf(aDelivery("never seen"))]).toEqual([1, 0]);
});

test("a delivery counts once, however often it is told of, and a message as often as it was lost", () => {
  const interrupted = new InterruptedMessages();
  for (let loss = 1; loss <= 3; loss += 1) {
    const delivery = taken("a");
    interrupted.lost(delivery);
    interrupted.lost(delivery);
    interrupted.failed(delivery);
    expect(interrupted.lossesOf(aDelivery("a"))).toBe(loss);
  }
});

test("what was to become of a failed one is done to the delivery by which it comes again, and the loss counts no more", async () => {
  const interrupted = new InterruptedMessages();
  const [failed, again] = [taken("a"), aDelivery("a")];
  interrupted.lost(failed);
  const answer = interrupted.takeFinished(again);
  const owed = { outcome: "retry", write: async () => undefined } as const;
  interrupted.failed(failed, owed);
  expect([await answer, interrupted.takeOwed(again), interrupted.takeOwed(again), interrupted.takeLoss(again)]).toEqual([
    false,
    owed,
    undefined,
    false,
  ]);
});

test("one that is gone again while it waits takes nothing from the next", async () => {
  const interrupted = new InterruptedMessages();
  const first = taken("a");
  interrupted.lost(first);
  const [second, third] = [aDelivery("a"), aDelivery("a")];
  const answers = [interrupted.takeFinished(second), interrupted.takeFinished(third)];
  second.isStale = true;
  interrupted.finished(first);
  expect(await Promise.all(answers)).toEqual([false, true]);
});

test.each([
  ["at once", 0, undefined, true],
  ["soon after", 4999, undefined, true],
  ["later: it may be another one", 5000, undefined, false],
  ["later, with the time at which it was sent", 3_600_000, new Date(0), true],
])("without an id it is known again %s", async (_, afterMs, sentAt, isKnown) => {
  let now = 1000;
  const interrupted = new InterruptedMessages(() => now);
  interrupted.finished(taken("a", { sentAt }));
  now += 60_000;
  interrupted.resumed();
  now += afterMs;
  expect(await interrupted.takeFinished(aDelivery("a", { sentAt }))).toBe(isKnown);
  expect(interrupted.takeLoss(aDelivery("a", { sentAt }))).toBe(!isKnown);
});

test.each<[string, Partial<Delivery>, boolean]>([
  ["comes as it came", {}, true],
  ["is redelivered", { redelivered: true, redeliveries: 3 }, true],
  ["has another key", { routingKey: "b" }, false],
  ["has another type", { contentType: "text/plain" }, false],
  ["was sent at another time", { sentAt: new Date(5) }, false],
  ["is a retry", { failures: 1 }, false],
  ["has another property", { distinction: { correlationId: "2" } }, false],
  ["has an id", { id: "m" }, false],
])("it is the same when it %s: %#", (_, own, isSame) => {
  const interrupted = new InterruptedMessages();
  interrupted.failed(taken("a", { routingKey: "a", distinction: { correlationId: "1" } }));
  expect(interrupted.knows(aDelivery("a", { routingKey: "a", distinction: { correlationId: "1" }, ...own }))).toBe(isSame);
});

test("where the broker counts what comes back, nothing is remembered", () => {
  const interrupted = new InterruptedMessages();
  const delivery = { ...taken("a"), recount: undefined } as unknown as Delivery;
  interrupted.lost(delivery);
  interrupted.finished(delivery);
  interrupted.failed(delivery);
  expect([interrupted.size, interrupted.knows(aDelivery("a"))]).toEqual([0, false]);
});

test("so many are remembered, and those that still run in any case", () => {
  const interrupted = new InterruptedMessages();
  const running = taken("runs");
  interrupted.lost(running);
  for (let n = 0; n < 10_100; n += 1) interrupted.failed(taken(String(n), { id: `m${n}` }));
  expect(interrupted.size).toBe(10_000);
  expect([running, aDelivery("0", { id: "m0" }), aDelivery("10099", { id: "m10099" })].map((each) => interrupted.knows(each))).toEqual([
    true,
    false,
    true,
  ]);
});
