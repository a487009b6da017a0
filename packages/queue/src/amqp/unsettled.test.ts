import { expect, test } from "vitest";
import { Unsettled, type UnsettledDelivery } from "./unsettled.ts";

type Frame = readonly [tag: number, multiple: boolean];

/** A broker's side of a channel: what it has handed out and not heard of. */
class Broker {
  readonly open = new Set<number>();
  readonly acknowledged = new Set<number>();
  readonly frames: Frame[] = [];

  acknowledge = (tag: number, multiple: boolean): void => {
    this.frames.push([tag, multiple]);
    if (!this.open.has(tag)) throw new Error(`406 PRECONDITION_FAILED - unknown delivery tag ${tag}`);
    for (const each of this.open)
      if (each === tag || (multiple && each < tag)) {
        this.open.delete(each);
        this.acknowledged.add(each);
      }
  };
}

function filled(count: number): { unsettled: Unsettled; deliveries: UnsettledDelivery[]; broker: Broker } {
  const [unsettled, broker] = [new Unsettled(), new Broker()];
  const deliveries = Array.from({ length: count }, (_, index) => {
    broker.open.add(index + 1);
    return unsettled.add(index + 1);
  });
  return { unsettled, deliveries, broker };
}

const cases: Readonly<Record<string, { of: number; left: readonly number[]; given?: readonly number[]; frames: readonly Frame[] }>> = {
  none: { of: 3, left: [], frames: [] },
  one: { of: 3, left: [1], frames: [[1, false]] },
  "all, in any order, are one word": { of: 4, left: [3, 1, 4, 2], frames: [[4, true]] },
  "up to a gap, and singly beyond": {
    of: 5,
    left: [5, 1, 2, 4],
    frames: [
      [2, true],
      [5, false],
      [4, false],
    ],
  },
  "singly behind one that is held": {
    of: 3,
    left: [2, 3],
    frames: [
      [2, false],
      [3, false],
    ],
  },
  "one that was given back is no gap": { of: 4, left: [1, 3, 4], given: [2], frames: [[4, true]] },
  "but it is not said to be done": { of: 4, left: [3], given: [1, 2, 4], frames: [[3, false]] },
};

test.each(Object.entries(cases))("the broker is told: %s", (_, { of, left, given = [], frames }) => {
  const { unsettled, deliveries, broker } = filled(of);
  for (const tag of given) {
    expect(unsettled.remove(deliveries[tag - 1] as UnsettledDelivery)).toBe(true);
    broker.open.delete(tag);
  }
  for (const tag of left) unsettled.acknowledge(deliveries[tag - 1] as UnsettledDelivery);
  expect(unsettled.leaving).toBe(left.length);
  unsettled.flush(broker.acknowledge);
  expect(broker.frames).toEqual(frames);
  expect(broker.acknowledged).toEqual(new Set(left));
  expect([unsettled.size, unsettled.leaving, unsettled.highestTag]).toEqual([broker.open.size, 0, [...broker.open].at(-1)]);
});

test("none leaves twice", () => {
  const { unsettled, deliveries, broker } = filled(2);
  const [first, second] = deliveries as [UnsettledDelivery, UnsettledDelivery];
  expect([unsettled.acknowledge(first), unsettled.acknowledge(first), unsettled.remove(first)]).toEqual([true, false, false]);
  expect([unsettled.remove(second), unsettled.remove(second), unsettled.acknowledge(second)]).toEqual([true, false, false]);
  unsettled.flush(broker.acknowledge);
  expect([unsettled.acknowledge(first), unsettled.remove(first), unsettled.size]).toEqual([false, false, 0]);
});

test("whatever comes and leaves in whatever order, exactly what was acknowledged is told, and no tag twice", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    let state = seed;
    const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
    const [unsettled, broker] = [new Unsettled(), new Broker()];
    const held: UnsettledDelivery[] = [];
    const done = new Set<number>();
    const kept: number[] = [];
    for (let step = 0, tag = 0; step < 200; step += 1) {
      const act = random(10);
      if (act < 4 || held.length === 0) {
        held.push(unsettled.add((tag += 1)));
        broker.open.add(tag);
        continue;
      }
      const [delivery] = held.splice(random(held.length), 1) as [UnsettledDelivery];
      if (act < 8) {
        unsettled.acknowledge(delivery);
        done.add(delivery.tag);
      } else if (act === 8) {
        unsettled.remove(delivery);
        broker.open.delete(delivery.tag);
      } else {
        unsettled.keep(delivery);
        kept.push(delivery.tag);
        // What is kept leaves in no other way.
        expect([unsettled.acknowledge(delivery), unsettled.remove(delivery)]).toEqual([false, false]);
      }
      if (act === 5) unsettled.flush(broker.acknowledge);
    }
    unsettled.flush(broker.acknowledge);
    expect(broker.acknowledged, `seed ${seed}`).toEqual(done);
    expect([...broker.open], `seed ${seed}`).toEqual([...held.map(({ tag }) => tag), ...kept].sort((a, b) => a - b));
    expect([unsettled.size, unsettled.kept, unsettled.highestTag], `seed ${seed}`).toEqual([
      held.length + kept.length,
      kept.length,
      [...broker.open].at(-1),
    ]);
  }
});
