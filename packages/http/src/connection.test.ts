import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { Connection } from "./connection.ts";
import type { HttpRequest } from "./http-request.ts";
import { IdleConnections } from "./idle-connections.ts";

const socket = (): Socket => ({ bytesRead: 0, bytesWritten: 0 }) as unknown as Socket;
const request = (last = false): HttpRequest =>
  ({
    incoming: { complete: true, headers: {}, httpVersionMinor: 1 },
    response: { _last: last },
    earlier: undefined,
  }) as unknown as HttpRequest;

describe("what a connection owes", () => {
  test("is a list of the requests in progress, the oldest first, whichever ends first", () => {
    // Every order in which four pipelined requests may end.
    for (const order of permutations([0, 1, 2, 3])) {
      const connection = new Connection(socket(), 0);
      const requests = [request(), request(), request(), request()];
      for (const each of requests) connection.beginRequest(each);
      const open = new Set(requests);
      for (const [turn, index] of order.entries()) {
        expect(connection.inProgress()).toEqual(requests.filter((each) => open.has(each)));
        const ending = requests[index] as HttpRequest;
        connection.endRequest(ending, turn + 1);
        open.delete(ending);
        expect(connection.activeRequests).toBe(open.size);
        expect(connection.isIdle).toBe(open.size === 0);
      }
      expect([connection.latest, connection.idleSince, connection.requests]).toEqual([undefined, 4, 4]);
    }
  });

  test("nothing is taken in behind an answer that says close, in progress or ended", () => {
    const connection = new Connection(socket(), 0);
    const first = request();
    connection.beginRequest(first);
    expect(connection.isClosing).toBe(false);
    (first.response as { _last?: boolean })._last = true;
    expect(connection.isClosing).toBe(true);
    connection.endRequest(first, 1);
    expect([connection.isClosing, connection.endReason]).toEqual([true, "app"]);
  });

  test("a client that asked for the close sends no more", () => {
    const connection = new Connection(socket(), 0);
    const last = request(true);
    last.incoming.headers.connection = "close";
    connection.beginRequest(last);
    connection.endRequest(last, 1);
    expect([connection.clientEnds, connection.endReason]).toEqual([true, undefined]);
  });

  test("what has come since the stop began is seen", () => {
    const watched = { bytesRead: 10, bytesWritten: 0 };
    const connection = new Connection(watched as unknown as Socket, 0);
    connection.beginWatch(100);
    expect(connection.halfSent).toBe(true);
    expect(connection.watch(150)).toBe(50);
    watched.bytesRead = 11;
    expect(connection.watch(200)).toBe(0);
    expect(connection.watch(260)).toBe(60);
  });
});

describe("the idle connections", () => {
  test("the longest idle is the first, through random comings and goings", () => {
    const idle = new IdleConnections();
    const connections = Array.from({ length: 8 }, (_, index) => new Connection(socket(), index));
    let expected: Connection[] = [];
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    for (let step = 0; step < 2000; step++) {
      const connection = connections[random(connections.length)] as Connection;
      if (random(2) === 0) {
        if (!expected.includes(connection)) expected.push(connection);
        idle.add(connection);
      } else {
        expected = expected.filter((each) => each !== connection);
        idle.delete(connection);
      }
      expect(idle.longest).toBe(expected[0]);
    }
    while (expected.length > 0) {
      const first = expected.shift() as Connection;
      expect(idle.longest).toBe(first);
      idle.delete(first);
    }
    expect(idle.longest).toBeUndefined();
  });
});

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) => permutations(items.filter((each) => each !== item)).map((rest) => [item, ...rest]));
}
