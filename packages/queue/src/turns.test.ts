import { expect, test } from "vitest";
import type { Delivery } from "./delivery.ts";
import { Turns } from "./turns.ts";

const delivery = (id: string, of: Partial<Delivery> = {}): Delivery =>
  ({ id, isSuspect: false, isStale: false, group: undefined, ...of }) as Delivery;

/** Takes all whose turn it is, as a consumer with enough room does. */
function takeNow(turns: Turns): Delivery[] {
  const taken: Delivery[] = [];
  for (let index = turns.next(); index !== -1; index = turns.next()) {
    const next = turns.take(index);
    turns.begun(next);
    taken.push(next);
  }
  return taken;
}
const ids = (deliveries: readonly Delivery[]): (string | undefined)[] => deliveries.map(({ id }) => id);

test("without groups all may go, in their order", () => {
  const turns = new Turns(false);
  expect(turns.next()).toBe(-1);
  for (const id of ["a", "b", "c"]) turns.add(delivery(id));
  turns.addFirst(delivery("again"));
  expect(turns.size).toBe(4);
  expect(ids(takeNow(turns))).toEqual(["again", "a", "b", "c"]);
  expect([turns.size, turns.next()]).toEqual([0, -1]);
});

test("of an ordered consumer one is out at a time, whatever its group", () => {
  const turns = new Turns(true);
  const [a, b] = [delivery("a", { group: "x" }), delivery("b", { group: "y" })];
  turns.add(a);
  turns.add(b);
  expect(ids(takeNow(turns))).toEqual(["a"]);
  expect([turns.freeGroup(a), turns.freeGroup(a)]).toEqual([true, false]);
  expect(ids(takeNow(turns))).toEqual(["b"]);
});

test("groups run side by side, each in its order, and a group waits for what is retried in its place", () => {
  const turns = new Turns(false);
  const [a1, a2, b1, b2] = ["a1", "a2", "b1", "b2"].map((id) => delivery(id, { group: id.slice(0, 1) })) as [
    Delivery,
    Delivery,
    Delivery,
    Delivery,
  ];
  for (const each of [a1, a2, b1, b2, delivery("free")]) turns.add(each);
  expect(ids(takeNow(turns))).toEqual(["a1", "b1", "free"]);
  turns.freeGroup(b1);
  expect(ids(takeNow(turns))).toEqual(["b2"]);
  turns.freeGroup(a1);
  turns.addFirst(a1);
  expect(ids(takeNow(turns))).toEqual(["a1"]);
  turns.freeGroup(a1);
  expect(ids(takeNow(turns))).toEqual(["a2"]);
});

test("messages that may kill their worker run one at a time until one has ended well; the others pass by", () => {
  const turns = new Turns(false);
  const suspects = ["s1", "s2", "s3", "s4"].map((id) => delivery(id, { isSuspect: true }));
  for (const each of [...suspects, delivery("good")]) turns.add(each);
  expect(ids(takeNow(turns))).toEqual(["s1", "good"]);
  turns.ended(suspects[0] as Delivery, false);
  expect(ids(takeNow(turns))).toEqual(["s2"]);
  turns.ended(suspects[1] as Delivery, true);
  expect(ids(takeNow(turns))).toEqual(["s3", "s4"]);
});

test("what the broker has taken back is dropped, and a stop takes the rest", () => {
  const turns = new Turns(false);
  turns.add(delivery("a"));
  turns.add(delivery("stale", { isStale: true }));
  turns.add(delivery("b"));
  turns.dropStale();
  expect(ids(turns.takeAll())).toEqual(["a", "b"]);
  expect(turns.size).toBe(0);
});
