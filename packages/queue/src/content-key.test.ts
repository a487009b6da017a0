import { expect, test } from "vitest";
import { contentKey } from "./content-key.ts";
import type { Delivery } from "./delivery.ts";

const keyOf = (own: Partial<Delivery>): string => contentKey({ bytes: Buffer.from("{}"), failures: 0, ...own } as Delivery);

test("what a handler can see of a message makes its key, how it came does not", () => {
  expect(keyOf({ redelivered: true, receivedAt: 7, redeliveries: 3 })).toBe(keyOf({}));
  const others: Partial<Delivery>[] = [
    { bytes: Buffer.from("[]") },
    { routingKey: "a" },
    { topic: "a" },
    { contentType: "a" },
    { sentAt: new Date(0) },
    { failures: 1 },
    { distinction: ["a"] },
  ];
  expect(new Set([keyOf({}), ...others.map(keyOf)]).size).toBe(others.length + 1);
});

test("headers that are nested too deep to be looked at are no part of it", () => {
  let deep: unknown = 1;
  for (let level = 0; level < 200_000; level += 1) deep = [deep];
  expect(keyOf({ distinction: deep })).toBe(keyOf({ distinction: deep }));
});
