import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { Connection } from "./connection.ts";
import { IdleConnections } from "./idle-connections.ts";

const make = (): Connection => new Connection({} as Socket, 0);

/** All of the list, from its longest on. */
function listed(list: IdleConnections): Connection[] {
  const found: Connection[] = [];
  for (let each = list.longest; each !== undefined; each = each.idleAfter) found.push(each);
  return found;
}

describe("the list of idle connections", () => {
  test("has the longest idle first", () => {
    const list = new IdleConnections();
    expect(list.longest).toBeUndefined();
    const [a, b, c] = [make(), make(), make()];
    for (const each of [a, b, c]) list.add(each);
    expect(listed(list)).toEqual([a, b, c]);
    list.delete(a);
    expect(list.longest).toBe(b);
    list.add(a);
    expect(listed(list)).toEqual([b, c, a]);
  });

  test("holds nobody twice, and forgets nobody who is not there", () => {
    const list = new IdleConnections();
    const [a, b, c] = [make(), make(), make()];
    list.delete(a);
    list.add(a);
    list.add(a);
    list.add(b);
    list.add(a);
    list.delete(c);
    expect(listed(list)).toEqual([a, b]);
    list.delete(a);
    list.delete(a);
    expect(listed(list)).toEqual([b]);
    list.delete(b);
    expect(list.longest).toBeUndefined();
  });

  test("keeps no hold of who has left", () => {
    const list = new IdleConnections();
    const [a, b, c] = [make(), make(), make()];
    for (const each of [a, b, c]) list.add(each);
    list.delete(b);
    expect([b.idleBefore, b.idleAfter]).toEqual([undefined, undefined]);
    expect([a.idleAfter, c.idleBefore]).toEqual([c, a]);
  });

  test("whatever comes and goes, in whatever order, it is as an array would be", () => {
    let seed = 11;
    const random = (below: number): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % below;
    for (let round = 0; round < 50; round++) {
      const list = new IdleConnections();
      const connections = Array.from({ length: 1 + random(12) }, make);
      let expected: Connection[] = [];
      for (let n = 0; n < 100; n++) {
        const each = connections[random(connections.length)] as Connection;
        if (random(2) === 0) {
          list.add(each);
          if (!expected.includes(each)) expected.push(each);
        } else {
          list.delete(each);
          expected = expected.filter((other) => other !== each);
        }
        expect(listed(list).map((one) => connections.indexOf(one))).toEqual(expected.map((one) => connections.indexOf(one)));
        expect(list.longest).toBe(expected[0]);
      }
    }
  });
});
