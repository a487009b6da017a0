import { expect, test } from "vitest";
import type { Delivery } from "./delivery.ts";
import { messageKey } from "./message-key.ts";

function delivery(of: Partial<Delivery> = {}): Delivery {
  return { id: "one", bytes: Buffer.from("body"), failures: 0, isCopiedForRetry: true, sentAt: new Date(0), ...of } as Delivery;
}

test("a message without an id is never taken for another", () => {
  expect(messageKey(delivery({ id: undefined }))).toBeUndefined();
});

test("only the same message has the same key, whatever its publisher makes of ids", () => {
  const key = messageKey(delivery());
  expect(messageKey(delivery())).toBe(key);
  const long = Buffer.alloc(1000, "x");
  const others: Partial<Delivery>[] = [
    { id: "two" },
    { id: "" },
    { id: "eno" },
    { bytes: Buffer.from("longer body") },
    { bytes: Buffer.alloc(0) },
    { bytes: long },
    { bytes: Buffer.concat([Buffer.from("y"), long.subarray(1)]) },
    { bytes: Buffer.concat([long.subarray(1), Buffer.from("y")]) },
    { bytes: Buffer.from("bodY") },
    { bytes: Buffer.from("Body") },
    { sentAt: new Date(1000) },
    { sentAt: new Date(2 ** 32) },
    { sentAt: new Date(Number.NaN) },
    { sentAt: undefined },
    // On RabbitMQ a retry is a copy, and is handled for itself.
    { failures: 1 },
  ];
  const keys = [key, ...others.map((other) => messageKey(delivery(other)))];
  expect(new Set(keys).size).toBe(keys.length);
  // On SQS it is the same message: its count of receipts says nothing of what it is.
  const sqs = (failures: number): number | undefined => messageKey(delivery({ isCopiedForRetry: false, failures }));
  expect(sqs(3)).toBe(sqs(0));
});

test("keys are whole numbers of 53 bits, and a hundred thousand ids that differ in one character have as many", () => {
  const keys = new Set<number>();
  for (let n = 0; n < 100_000; n += 1) {
    const key = messageKey(delivery({ id: `orders-${n}` })) as number;
    if (!Number.isSafeInteger(key) || key < 0) throw new Error(`found ${key}`);
    keys.add(key);
  }
  expect(keys.size).toBe(100_000);
});
