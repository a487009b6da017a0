import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { Clock } from "@tsserve/server";
import { describe, expect, test } from "vitest";
import type { Connection } from "./connection.ts";
import { watchHalfClosed } from "./half-close.ts";
import type { HttpRequest } from "./http-request.ts";

/** A clock that goes on when it is told to. */
function makeClock(): Clock & { pass(ms: number): void; readonly waiting: number } {
  let now = 5000;
  let timers: { readonly at: number; readonly run: () => void }[] = [];
  return {
    now: () => now,
    after: (ms, run) => {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return () => void (timers = timers.filter((each) => each !== timer));
    },
    pass: (ms) => {
      for (const end = now + ms; ;) {
        const next = timers.toSorted((a, b) => a.at - b.at)[0];
        if (next === undefined || next.at > end) {
          now = end;
          return;
        }
        now = next.at;
        timers = timers.filter((each) => each !== next);
        next.run();
      }
    },
    get waiting() {
      return timers.length;
    },
  };
}

class FakeSocket extends EventEmitter {
  destroyed = false;
  readonly told: string[] = [];
  write(text: string): void {
    this.told.push(text === "" ? "nothing" : text);
  }
  setKeepAlive(): void {
    this.told.push("tcp");
  }
}

/** A connection whose client has ended its side, with one request in progress. */
function halfClosed({ headersSent = false, refused = false, minor = 1, hasResponse = true } = {}) {
  const socket = new FakeSocket();
  const request = {
    response: hasResponse ? { headersSent, writeContinue: () => void socket.told.push("100") } : undefined,
    refusal: refused ? { status: 413 } : undefined,
    incoming: { httpVersionMinor: minor },
  };
  const connection = {
    socket: socket as unknown as Socket,
    upgrade: undefined as HttpRequest | undefined,
    activeRequests: 1,
    inProgress: () => [request as unknown as HttpRequest],
  };
  const clock = makeClock();
  watchHalfClosed(connection as unknown as Connection, clock);
  return { socket, request, connection, clock };
}

describe("a client that has ended its side", () => {
  test("is asked after two seconds, with 100 Continue, and each ten seconds from then on; between, nothing is written", () => {
    const { socket, clock } = halfClosed();
    clock.pass(1999);
    expect(socket.told).toEqual([]);
    clock.pass(1);
    expect(socket.told).toEqual(["100"]);
    clock.pass(9999);
    expect(socket.told).toEqual(["100", ...Array.from({ length: 19 }, () => "nothing")]);
    clock.pass(1);
    expect(socket.told.at(-1)).toBe("100");
    clock.pass(60_000);
    expect(socket.told.filter((each) => each === "100")).toHaveLength(8);
  });

  test.each([
    ["in the middle of an answer", { headersSent: true }],
    ["after an answer of ours", { refused: true }],
    ["where there is no response", { hasResponse: false }],
  ])("%s, TCP asks", (_, options) => {
    const { socket, clock } = halfClosed(options);
    clock.pass(2000);
    expect(socket.told).toEqual(["tcp"]);
  });

  test("of HTTP/1.0, which knows no 100, is asked nothing; what is written shows whether it is there", () => {
    const { socket, clock } = halfClosed({ minor: 0 });
    clock.pass(3000);
    expect(socket.told).toEqual(["nothing", "nothing"]);
  });

  test("is asked no more once its answer has begun", () => {
    const { socket, request, clock } = halfClosed();
    clock.pass(2000);
    if (request.response !== undefined) request.response.headersSent = true;
    clock.pass(10_000);
    expect(socket.told.filter((each) => each !== "nothing")).toEqual(["100", "tcp"]);
  });

  test.each<[string, (parts: ReturnType<typeof halfClosed>) => void]>([
    ["has had its answer", ({ connection }) => void (connection.activeRequests = 0)],
    ["has gone", ({ socket }) => void (socket.destroyed = true)],
    ["has become another protocol's", ({ connection, request }) => void (connection.upgrade = request as unknown as HttpRequest)],
    ["was closed", ({ socket }) => void socket.emit("close")],
  ])("is left alone once it %s, and nothing waits for it", (_, happen) => {
    for (const beforeMs of [0, 2200]) {
      const parts = halfClosed();
      parts.clock.pass(beforeMs);
      const before = [...parts.socket.told];
      happen(parts);
      parts.clock.pass(60_000);
      expect(parts.socket.told).toEqual(before);
      expect(parts.clock.waiting).toBe(0);
    }
  });
});
