import { EventEmitter, once } from "node:events";
import { IncomingMessage } from "node:http";
import { connect, createServer, Socket, type AddressInfo } from "node:net";
import { systemClock, type Clock } from "@tsserve/server";
import { describe, expect, test, vi } from "vitest";
import type { Connection } from "./connection.ts";
import { Connections } from "./connections.ts";
import { endUnlessRead, isBeingRead, readingTimeOf } from "./linger.ts";

test.each([
  [0, 0],
  [1000, 1],
  [1_000_000, 1000],
  [4_000_000, 4000],
  [4_000_001, 4000],
  [10 ** 12, 4000],
])("a client is given %d bytes in %d ms", (lastAnswerBytes, ms) => {
  expect(readingTimeOf({ lastAnswerBytes } as Connection)).toBe(ms);
});

test("a socket that has been ended is ended once more only where somebody is told of it", async () => {
  const connections = new Connections({
    maxConcurrency: 10,
    clock: systemClock,
    draw: () => ({ maxRequests: 1, maxAgeMs: 1 }),
    drawClose: () => 0,
    drainTimeMs: 0,
    closeWebSocketsOverMs: undefined,
    onFull: () => undefined,
    onClosed: () => undefined,
  });
  const server = createServer({ allowHalfOpen: true });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
  const [socket] = (await once(server, "connection")) as [Socket];
  connections.arrive(socket, () => undefined);
  const end = vi.spyOn(Socket.prototype, "end");
  try {
    expect(socket.end("goodbye")).toBe(socket);
    await once(socket, "finish");
    expect(end).toHaveBeenCalledTimes(1);
    expect(socket.end()).toBe(socket);
    expect(end).toHaveBeenCalledTimes(1);
    const told = await new Promise<unknown>((resolve) => socket.end((error?: unknown) => resolve(error)));
    expect(told).toMatchObject({ code: "ERR_STREAM_ALREADY_FINISHED" });
  } finally {
    end.mockRestore();
    client.destroy();
    socket.destroy();
    server.close();
  }
});

const makeBody = (): IncomingMessage => new IncomingMessage(new Socket());

describe("a body", () => {
  test.each<[string, (body: IncomingMessage) => unknown, boolean]>([
    ["nobody has touched", () => undefined, false],
    ["flows", (body) => body.on("data", () => undefined), true],
    ["was paused", (body) => body.on("data", () => undefined).pause(), false],
    [
      "goes on",
      (body) =>
        body
          .on("data", () => undefined)
          .pause()
          .resume(),
      true,
    ],
    ["is read when it can be", (body) => body.on("readable", () => undefined), true],
    ["is thrown away", (body) => body.resume(), true],
  ])("that %s: %s", (_, touch, expected) => {
    const body = makeBody();
    touch(body);
    expect(isBeingRead(body)).toBe(expected);
  });
});

/** A connection whose answer is over, while a body stands in it. */
function answered(body: IncomingMessage | undefined) {
  const looks: (() => void)[] = [];
  let cancelled = 0;
  const clock: Clock = {
    now: () => 0,
    after: (ms, look) => {
      expect(ms).toBe(250);
      looks.push(look);
      return () => void (cancelled += 1);
    },
  };
  const socket = Object.assign(new EventEmitter(), {
    destroyed: false,
    bytesRead: 100,
    ended: 0,
    destroySoon: () => void (socket.ended += 1),
  });
  const connection = { socket, unfinishedBody: body, closing: false };
  endUnlessRead(connection as unknown as Connection, clock);
  return {
    socket,
    connection,
    /** Time passes until it looks again; whether it does. */
    look: () => {
      const next = looks.shift();
      next?.();
      return next !== undefined;
    },
    get cancelled() {
      return cancelled;
    },
  };
}

describe("a body that is not read on after its answer", () => {
  test("ends its connection once nothing has come between two looks", () => {
    const { socket, connection, look } = answered(makeBody());
    look();
    expect(socket.ended).toBe(0);
    look();
    expect([socket.ended, connection.closing]).toEqual([1, true]);
    expect(look()).toBe(false);
  });

  test("is waited for as long as something comes", () => {
    const { socket, look } = answered(makeBody());
    for (let n = 0; n < 50; n++) {
      socket.bytesRead += 1;
      look();
    }
    expect(socket.ended).toBe(0);
    look();
    expect(socket.ended).toBe(1);
  });

  test("is waited for as long as somebody reads it, though nothing comes", () => {
    const body = makeBody();
    body.on("data", () => undefined);
    const { socket, look } = answered(body);
    for (let n = 0; n < 50; n++) look();
    expect(socket.ended).toBe(0);
    body.pause();
    look();
    expect(socket.ended).toBe(1);
  });

  test.each<[string, (parts: ReturnType<typeof answered>) => void]>([
    ["it was read to its end", ({ connection }) => void (connection.unfinishedBody = undefined)],
    ["another one stands there", ({ connection }) => void (connection.unfinishedBody = makeBody())],
    ["the connection is closing", ({ connection }) => void (connection.closing = true)],
    ["the connection has gone", ({ socket }) => void (socket.destroyed = true)],
  ])("is left alone once %s", (_, happen) => {
    const parts = answered(makeBody());
    happen(parts);
    parts.look();
    expect([parts.socket.ended, parts.look()]).toEqual([0, false]);
  });

  test("of a connection that was closed is not looked at again", () => {
    const parts = answered(makeBody());
    parts.look();
    parts.socket.emit("close");
    expect(parts.cancelled).toBe(1);
  });

  test("that is not there is not waited for", () => {
    const { socket, look } = answered(undefined);
    expect([look(), socket.ended, socket.listenerCount("close")]).toEqual([false, 0, 0]);
  });
});
