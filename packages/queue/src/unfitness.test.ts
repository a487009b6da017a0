import { expect, test } from "vitest";
import type { Delivery } from "./delivery.ts";
import { unfitness } from "./unfitness.ts";

const consumer = { maxMessageBytes: 10, retry: { limit: 10, delaysMs: [0] } };
const now = Date.now();

const cases: readonly [string, Partial<Delivery>, string | undefined, RegExp?][] = [
  ["empty", { bytes: Buffer.alloc(0) }, undefined],
  ["as large as may be", { bytes: Buffer.alloc(10) }, undefined],
  ["a byte larger", { bytes: Buffer.alloc(11) }, "oversized", /has 11 bytes; max_message_size is 10/],
  ["unreadable", { unreadable: new RangeError("too deep") }, "unparseable", /headers of the message can't be read: too deep/],
  ["still good", { expiresAt: now + 60_000 }, undefined],
  ["too late", { expiresAt: now - 1 }, "expired", /expired at \d{4}-.*\(x-ttl\)/],
  ["at no time that a calendar has", { expiresAt: -1e300 }, "expired", /seconds after 1970 \(x-ttl\)/],
  ["never expiring", { expiresAt: Number.POSITIVE_INFINITY }, undefined],
  ["come back as often as it may", { redeliveries: 10 }, undefined],
  ["come back once more", { redeliveries: 11 }, "crashed", /handed out 12 times/],
];

test.each(cases)("a message that is %s", (_, of, reason, message) => {
  const found = unfitness({ bytes: Buffer.from("{}"), expiresAt: undefined, redeliveries: 0, ...of } as Delivery, consumer);
  expect(found?.reason).toBe(reason);
  if (message !== undefined) expect(found?.error.message).toMatch(message);
});

test("however few its retries, a few crashes of others' making are forgiven", () => {
  const few = { ...consumer, retry: { limit: 0, delaysMs: [0] } };
  const reasonOf = (redeliveries: number): unknown =>
    unfitness({ bytes: Buffer.alloc(1), expiresAt: undefined, redeliveries } as Delivery, few)?.reason;
  expect([reasonOf(5), reasonOf(6)]).toEqual([undefined, "crashed"]);
});
