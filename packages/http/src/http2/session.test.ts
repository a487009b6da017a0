import { EventEmitter } from "node:events";
import type { ServerHttp2Session } from "node:http2";
import { describe, expect, test } from "vitest";
import { Connection, type Lifetime, type TrackedSocket } from "../connection.ts";
import { Connections } from "../connections.ts";
import type { HttpRequest } from "../http-request.ts";
import { roundTripLimitMs } from "./retirement.ts";
import { Session, type StreamBody } from "./session.ts";

class FakeSocket extends EventEmitter {
  destroyed = false;
  bytesRead = 0;
  bytesWritten = 9;
  _handle = { writeQueueSize: 0 };
  readonly written: Buffer[] = [];
  write(bytes: Buffer): boolean {
    this.written.push(bytes);
    return true;
  }
  destroy(): void {
    this.destroyed = true;
    this.emit("close");
  }
}

class FakeHttp2 extends EventEmitter {
  destroyed = false;
  closed = false;
  readonly said: string[] = [];
  pings = 0;
  goaway(code?: number, last?: number): void {
    if (code === undefined) {
      this.pings += 1;
      this.pinged();
    } else this.said.push(`goaway ${code} ${last}`);
  }
  /** Called when a ping is sent. */
  pinged: () => void = () => undefined;
  mayPing = true;
  ping(answered: (error: Error | null) => void): boolean {
    if (!this.mayPing) return false;
    this.pings += 1;
    this.pinged();
    answered(null);
    return true;
  }
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.said.push("close");
  }
  destroy(_error: Error, code: number): void {
    this.destroyed = true;
    this.said.push(`destroy ${code}`);
  }
}

const forEver: Lifetime = { maxRequests: Number.POSITIVE_INFINITY, maxAgeMs: Number.POSITIVE_INFINITY };

/** A session on a clock that a test turns, over TLS or not, and what is said on it. */
function rig({ secure = false, lifetime = forEver }: { readonly secure?: boolean; readonly lifetime?: Lifetime } = {}) {
  let now = 0;
  let timers: { readonly at: number; readonly callback: () => void }[] = [];
  const clock = {
    now: () => now,
    after: (ms: number, callback: () => void) => {
      const timer = { at: now + ms, callback };
      timers.push(timer);
      return () => (timers = timers.filter((each) => each !== timer));
    },
  };
  const connections = new Connections({
    maxConcurrency: 10,
    clock,
    draw: () => lifetime,
    drainTimeMs: 0,
    closeWebSocketsOverMs: undefined,
    drawClose: () => 0,
    onFull: () => undefined,
    onClosed: () => undefined,
  });
  const socket = new FakeSocket();
  if (secure) Object.assign(socket, { encrypted: true });
  const connection = new Connection(socket as unknown as TrackedSocket, now, lifetime);
  const http2 = new FakeHttp2();
  http2.pinged = () => (socket.bytesWritten += 17);
  const [abuses, givenUp]: [string[], HttpRequest[]] = [[], []];
  const session = new Session(http2 as unknown as ServerHttp2Session, connection, {
    connections,
    clock,
    keepAliveTimeoutMs: 5000,
    headerTimeoutMs: 1000,
    requestTimeoutMs: 3000,
    giveUp: (request) => givenUp.push(request),
    onAbuse: (_connection, what) => abuses.push(what),
  });
  connection.multiplexed = session;
  connections.open.add(connection);
  const turn = (ms: number): void => {
    now += ms;
    const due = timers.filter(({ at }) => at <= now);
    timers = timers.filter(({ at }) => at > now);
    for (const { callback } of due) callback();
    session.look(now);
  };
  return {
    connections,
    connection,
    session,
    socket,
    said: http2.said,
    http2,
    abuses,
    givenUp,
    turn,
    begin: (body?: StreamBody): HttpRequest => {
      const request = { startedAt: now } as HttpRequest;
      connection.activeRequests += 1;
      connection.requests += 1;
      session.begins(request, body);
      return request;
    },
    end: (request: HttpRequest): void => {
      connection.activeRequests -= 1;
      connection.idleSince = now;
      session.ended(request);
    },
  };
}

/** Whether the notice stands among the bytes that were written past nghttp2. */
const notices = (written: readonly Buffer[]): string[] => written.map((each) => each.toString("hex"));
const notice = "0000080700000000007fffffff00000000";

describe("a session in a stop", () => {
  test("is told at once, and closed when the listener has closed and the client has read of it", () => {
    const { connections, connection, session, socket, said, turn, begin, end } = rig();
    end(begin());
    connections.drain();
    expect([notices(socket.written), said, connection.endReason]).toEqual([[notice], [], "drain"]);
    turn(4000);
    end(begin());
    expect(said).toEqual([]);
    session.end();
    expect(said).toEqual(["close"]);
  });

  test("over TLS, where Node's own notice ends the intake, is closed soon", () => {
    const { connections, socket, said, turn, begin, end } = rig({ secure: true });
    end(begin());
    connections.drain();
    turn(roundTripLimitMs);
    expect([notices(socket.written), said]).toEqual([[], ["goaway 0 2147483647", "close"]]);
  });

  test("that has not been used learns of it with its first answer, or when the listener has closed", () => {
    const used = rig();
    used.connections.drain();
    expect(used.socket.written).toEqual([]);
    const request = used.begin();
    expect(used.socket.written).toEqual([]);
    used.end(request);
    expect(notices(used.socket.written)).toEqual([notice]);
    const unused = rig();
    unused.connections.drain();
    unused.session.end();
    unused.turn(roundTripLimitMs);
    expect(unused.said).toEqual(["close"]);
  });

  test("tells what it owes", () => {
    const { session, begin, end } = rig();
    const [first, second] = [begin(), begin()];
    expect([...session.inProgress]).toEqual([first, second]);
    end(first);
    expect([...session.inProgress]).toEqual([second]);
  });

  test("waits two seconds for a body that stalls, where the app waits for it", () => {
    const { connections, givenUp, turn, begin } = rig();
    const body = (isAwaited: boolean, isWhole: boolean): StreamBody => ({
      lastAt: 0,
      isAwaited: () => isAwaited,
      isWhole: () => isWhole,
      abandon: () => undefined,
    });
    const [awaited, , whole] = [begin(body(true, false)), begin(body(false, false)), begin(body(true, true))];
    turn(2500);
    expect(givenUp).toEqual([]);
    connections.isEnding = true;
    turn(100);
    expect(givenUp).toEqual([awaited]);
    expect(givenUp).not.toContain(whole);
  });
});

describe("a session that has lasted", () => {
  test.each([
    ["so many requests", { maxRequests: 3, maxAgeMs: Number.POSITIVE_INFINITY }, "requests"],
    ["so long", { maxRequests: Number.POSITIVE_INFINITY, maxAgeMs: 2000 }, "age"],
  ])("%s ends with an answer", (_what, lifetime, reason) => {
    const { connection, said, turn, begin, end } = rig({ lifetime });
    for (let n = 0; n < 3; n++) {
      expect(said).toEqual([]);
      turn(900);
      end(begin());
    }
    turn(roundTripLimitMs);
    expect([said, connection.endReason]).toEqual([["close"], reason]);
  });

  test("idle for keepalive_timeout ends; before its first stream, for header_timeout", () => {
    const used = rig();
    used.end(used.begin());
    used.turn(4000);
    expect(used.said).toEqual([]);
    used.turn(1000);
    used.turn(roundTripLimitMs);
    expect([used.said, used.connection.endReason]).toEqual([["close"], "idle"]);
    const unused = rig();
    unused.turn(1000);
    unused.turn(roundTripLimitMs);
    expect([unused.said, unused.connection.endReason]).toEqual([["close"], "idle"]);
  });

  test("with a stream in progress never does, but a body that does not come is given up", () => {
    const { said, givenUp, turn, begin } = rig();
    begin();
    const late = begin({ lastAt: 0, isAwaited: () => true, isWhole: () => false, abandon: () => undefined });
    turn(2900);
    expect(givenUp).toEqual([]);
    turn(100);
    expect([givenUp, said]).toEqual([[late], []]);
    turn(60_000);
    expect(said).toEqual([]);
  });

  test("is given a body that does not come once; where its answer is not read either, the stream is ended", () => {
    const { givenUp, turn, begin, end } = rig();
    let abandoned = 0;
    const body = { lastAt: 0, isAwaited: () => true, isWhole: () => false, abandon: () => (abandoned += 1) };
    const late = begin(body);
    turn(3000);
    for (let n = 0; n < 19; n++) turn(100);
    expect([givenUp, abandoned]).toEqual([[late], 0]);
    turn(100);
    expect([givenUp, abandoned]).toEqual([[late], 1]);
    end(late);
    turn(100);
    const next = begin({ ...body });
    turn(3000);
    expect(givenUp).toEqual([late, next]);
  });

  describe("that nghttp2 has ended, which Node does not tell,", () => {
    test("ends: pings are not written any more", () => {
      const { said, http2, turn, begin } = rig();
      http2.pinged = () => undefined;
      begin();
      turn(9900);
      expect([http2.pings, said]).toEqual([0, []]);
      turn(100);
      expect(http2.pings).toBe(1);
      turn(900);
      expect(said).toEqual([]);
      turn(100);
      expect(said).toEqual(["destroy undefined"]);
    });

    test("ends, too, where it takes no more streams, and is sent no pings any more", () => {
      const { said, http2, turn, begin } = rig();
      http2.pinged = () => undefined;
      http2.mayPing = false;
      http2.closed = true;
      begin();
      turn(10_000);
      turn(1000);
      expect([http2.pings, said]).toEqual([1, ["destroy undefined"]]);
    });

    test.each<[string, (parts: ReturnType<typeof rig>) => void]>([
      ["pings are written", () => undefined],
      ["the client does not read, so that they wait", ({ socket, http2 }) => {
        http2.pinged = () => undefined;
        socket._handle.writeQueueSize = 17;
      }], // prettier-ignore
      ["what waits is not known", ({ socket, http2 }) => {
        http2.pinged = () => undefined;
        (socket as { _handle: unknown })._handle = null;
      }], // prettier-ignore
      ["too many are under way", ({ http2 }) => (http2.mayPing = false)],
    ])("is told from one that is only silent: %s", (_, make) => {
      const parts = rig();
      make(parts);
      parts.begin();
      for (let n = 0; n < 600; n++) parts.turn(250);
      expect(parts.said).toEqual([]);
      // One in ten seconds at most.
      expect(parts.http2.pings).toBeLessThanOrEqual(15);
    });

    test("is not asked while its client says something, nor without streams in progress", () => {
      const { socket, http2, turn, begin, end } = rig();
      const request = begin();
      for (let n = 0; n < 100; n++) {
        socket.bytesRead += 9;
        turn(1000);
      }
      expect(http2.pings).toBe(0);
      end(request);
      turn(4000);
      expect(http2.pings).toBe(0);
    });
  });

  test("whose client keeps its side open when all is over is closed after a while", () => {
    const { http2, socket, turn } = rig();
    http2.destroyed = true;
    turn(100);
    turn(1900);
    expect(socket.destroyed).toBe(false);
    turn(100);
    expect(socket.destroyed).toBe(true);
  });

  test("whose client ends its side is closed with what is in progress, but for bodies that are not whole; it is asked whether it is there", () => {
    const { socket, said, http2, turn, begin } = rig();
    const abandoned: string[] = [];
    const body = (name: string, isWhole: boolean): StreamBody => ({
      lastAt: 0,
      isAwaited: () => true,
      isWhole: () => isWhole,
      abandon: () => abandoned.push(name),
    });
    begin();
    begin(body("whole", true));
    begin(body("half", false));
    socket.emit("end");
    expect([said, abandoned, http2.pings]).toEqual([["close"], ["half"], 1]);
    turn(9000);
    expect(http2.pings).toBe(1);
    turn(1000);
    expect(http2.pings).toBe(2);
  });
});

describe("a client that does more than an honest one", () => {
  test.each<[string, number, (each: ReturnType<typeof rig>) => void]>([
    ["streams reset", 500, ({ session }) => session.reset()],
    ["pings", 2000, ({ http2 }) => http2.emit("ping")],
    ["changes of settings", 100, ({ http2 }) => http2.emit("remoteSettings")],
  ])("%s ends its session, once, when what has come is read", async (what, burst, act) => {
    const each = rig();
    for (let n = 0; n < burst; n++) act(each);
    expect([each.abuses, each.said]).toEqual([[], []]);
    for (let n = 0; n < 5; n++) act(each);
    expect([each.abuses, each.said, each.session.isCondemned]).toEqual([[what], [], true]);
    await new Promise((resolve) => setImmediate(resolve));
    expect([each.abuses, each.said, each.connection.endReason]).toEqual([[what], ["destroy 11"], "rejected"]);
  });

  test("is told from one that does so slowly", () => {
    const each = rig();
    each.begin();
    for (let n = 0; n < 3000; n++) {
      each.session.reset();
      each.turn(40);
    }
    expect(each.abuses).toEqual([]);
  });
});
