import { describe, expect, test } from "vitest";
import { ActiveRequest, ActiveRequests, type RequestDescription } from "./active-requests.ts";

class Request extends ActiveRequest {
  readonly #description: () => RequestDescription;

  constructor(route: string, ageMs = 0, description?: () => RequestDescription) {
    super();
    this.#description = description ?? (() => ({ method: "GET", route, ageMs }));
  }

  override describe(): RequestDescription {
    return this.#description();
  }
}

describe("the requests in progress", () => {
  test("are counted as they come and go, and in all", () => {
    const requests = new ActiveRequests();
    const [a, b, c] = [new Request("/a"), new Request("/b"), new Request("/c")];
    for (const each of [a, b, c]) requests.add(each);
    expect([requests.size, requests.total, [...requests].length]).toEqual([3, 3, 3]);
    requests.delete(b);
    requests.delete(b);
    expect([requests.size, requests.total]).toEqual([2, 3]);
    expect([...requests]).not.toContain(b);
    for (const each of [a, c]) requests.delete(each);
    expect([requests.size, [...requests]]).toEqual([0, []]);
    requests.add(b);
    expect([requests.size, requests.total, [...requests]]).toEqual([1, 4, [b]]);
  });

  test("one that leaves keeps no hold of the others", () => {
    const requests = new ActiveRequests();
    const [a, b, c] = [new Request("/a"), new Request("/b"), new Request("/c")];
    for (const each of [a, b, c]) requests.add(each);
    requests.delete(b);
    expect([b.previous, b.next]).toEqual([undefined, undefined]);
  });

  test("whoever goes while they are gone through, the others are met", () => {
    const requests = new ActiveRequests();
    const all = Array.from({ length: 10 }, (_, n) => new Request(`/${n}`));
    for (const each of all) requests.add(each);
    const met: ActiveRequest[] = [];
    for (const each of requests) {
      met.push(each);
      requests.delete(each);
    }
    expect(new Set(met)).toEqual(new Set(all));
    expect(requests.size).toBe(0);
  });

  test("in whatever order they come and go, they are as in a set", () => {
    let seed = 3;
    const random = (below: number): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % below;
    const all = Array.from({ length: 8 }, (_, n) => new Request(`/${n}`));
    const requests = new ActiveRequests();
    const expected = new Set<ActiveRequest>();
    for (let n = 0; n < 5000; n++) {
      const each = all[random(all.length)] as Request;
      if (expected.has(each) || random(3) === 0) {
        requests.delete(each);
        expected.delete(each);
      } else {
        requests.add(each);
        expected.add(each);
      }
      expect(requests.size).toBe(expected.size);
      expect(new Set(requests)).toEqual(expected);
    }
  });

  test("are described with the oldest first; one that can't be hides no other", () => {
    const requests = new ActiveRequests();
    const broken = (): RequestDescription => {
      throw new TypeError("no route");
    };
    for (const each of [new Request("/young", 5), new Request("/old", 5000), new Request("", 0, broken), new Request("/middle", 50)])
      requests.add(each);
    expect(requests.describe().map(({ method, route, ageMs }) => `${method} ${route} ${ageMs}`)).toEqual([
      "GET /old 5000",
      "GET /middle 50",
      "GET /young 5",
      "? (describe() threw: no route) 0",
    ]);
  });
});
