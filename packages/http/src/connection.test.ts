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

  // What may happen to a request whose answer keeps the connection, in an order that can be: the look at the bytes may come anywhere between.
  const orders = {
    "the body comes before the answer ends": ["head", "body", "answer"],
    "the answer ends before the body comes": ["head", "answer", "body"],
    "all comes at once": ["head", "answer"],
  } as const;
  test.each(Object.entries(orders))("a request is not half sent when it is over, whenever its bytes are looked at (%s)", (_, steps) => {
    for (let looks = 0; looks < 2 ** steps.length; looks++) {
      for (let begin = 0; begin <= steps.length; begin++) {
        const watched = { bytesRead: 10, bytesWritten: 0 };
        const connection = new Connection(watched as unknown as Socket, 0);
        const before = request();
        connection.beginRequest(before);
        connection.endRequest(before, 1);
        const own = request();
        const incoming = own.incoming as { complete: boolean };
        for (const [index, step] of steps.entries()) {
          if (begin === index) connection.beginWatch(index);
          watched.bytesRead += step === "answer" ? 0 : 10;
          if (step === "head") {
            incoming.complete = !(steps as readonly string[]).includes("body");
            connection.beginRequest(own);
          } else if (step === "body") incoming.complete = true;
          else connection.endRequest(own, index);
          if (begin <= index && (looks & (2 ** index)) !== 0) connection.watch(index);
        }
        if (begin === steps.length) connection.beginWatch(begin);
        connection.watch(10);
        expect([connection.isIdle, connection.halfSent, looks, begin]).toEqual([true, false, looks, begin]);
        // What comes from here on is the beginning of the next one, until that has begun.
        watched.bytesRead += 1;
        connection.watch(11);
        expect([connection.halfSent, looks, begin]).toEqual([true, looks, begin]);
        connection.beginRequest(request());
        expect(connection.halfSent).toBe(false);
      }
    }
  });

  test("a body that is still to come when its request has been answered is half sent", () => {
    const connection = new Connection(socket(), 0);
    const answered = request();
    (answered.incoming as { complete: boolean }).complete = false;
    connection.beginRequest(answered);
    connection.endRequest(answered, 1);
    expect([connection.isIdle, connection.halfSent]).toEqual([true, true]);
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
