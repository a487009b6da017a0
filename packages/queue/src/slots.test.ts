import { expect, test } from "vitest";
import { Slots } from "./slots.ts";

test("no more places are taken than there are, and who has waited longest is called first, once", () => {
  const slots = new Slots(2);
  const called: string[] = [];
  expect([slots.take(), slots.take(), slots.take()]).toEqual([true, true, false]);
  slots.whenFree(() => called.push("first"));
  slots.whenFree(() => called.push("second"));
  slots.giveBack();
  expect(called).toEqual(["first"]);
  expect([slots.take(), slots.take()]).toEqual([true, false]);
  slots.giveBack();
  slots.giveBack();
  expect(called).toEqual(["first", "second"]);
});

test("a random use of places keeps their count", () => {
  let seed = 7;
  const random = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
  const slots = new Slots(5);
  let taken = 0;
  for (let step = 0; step < 5000; step += 1) {
    if (random() < 0.5 && taken > 0) {
      slots.giveBack();
      taken -= 1;
    } else if (slots.take()) taken += 1;
    else expect(taken).toBe(5);
    expect(taken).toBeLessThanOrEqual(5);
  }
});
