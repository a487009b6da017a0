import { expect, test } from "vitest";
import type { Delivery } from "./delivery.ts";
import { FinishedMessages } from "./finished-messages.ts";

function delivery(of: Partial<Delivery> = {}): Delivery {
  return { id: "one", bytes: Buffer.from("body"), failures: 0, isCopiedForRetry: true, sentAt: new Date(0), ...of } as Delivery;
}

test("a message without an id is never taken for another", () => {
  expect(new FinishedMessages(10).keyOf(delivery({ id: undefined }))).toBeUndefined();
});

test("only the same message has the same key, whatever its publisher makes of ids", () => {
  const finished = new FinishedMessages(10);
  const key = finished.keyOf(delivery());
  expect(finished.keyOf(delivery())).toBe(key);
  const others: Partial<Delivery>[] = [
    { id: "two" },
    { bytes: Buffer.from("longer body") },
    { bytes: Buffer.from("bodY") },
    { bytes: Buffer.from("Body") },
    { sentAt: new Date(1000) },
    { sentAt: undefined },
    // On RabbitMQ a retry is a copy, and is handled for itself.
    { failures: 1 },
  ];
  for (const other of others) expect(finished.keyOf(delivery(other)), JSON.stringify(other)).not.toBe(key);
  // On SQS it is the same message: its count of receipts says nothing of what it is.
  const sqs = (failures: number): string | undefined => finished.keyOf(delivery({ isCopiedForRetry: false, failures }));
  expect(sqs(3)).toBe(sqs(0));
});

test("one in progress is waited for; one that is done is known; one that failed is not", async () => {
  const finished = new FinishedMessages(10);
  expect(finished.find("a")).toBeUndefined();
  finished.begin("a");
  const waiting = [finished.find("a"), finished.find("a")].map(async (found) => found);
  finished.end("a", true);
  expect(await Promise.all(waiting)).toEqual([true, true]);
  expect(finished.find("a")).toBe(true);
  finished.begin("b");
  const failing = finished.find("b");
  finished.end("b", false);
  expect(await failing).toBe(false);
  expect(finished.find("b")).toBeUndefined();
});

test("the last ones are remembered, and no more than that", () => {
  const finished = new FinishedMessages(100);
  for (let n = 0; n < 1000; n += 1) finished.end(String(n), true);
  const remembered = Array.from({ length: 1000 }, (_, n) => n).filter((n) => finished.find(String(n)) === true);
  expect(remembered).toEqual(expect.arrayContaining(Array.from({ length: 100 }, (_, n) => 900 + n)));
  expect(remembered.length).toBeLessThanOrEqual(200);
});
