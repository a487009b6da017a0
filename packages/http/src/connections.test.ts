import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import type { Clock } from "@tsserve/server";
import { Connection, type TrackedSocket } from "./connection.ts";
import { Connections, type ConnectionsOptions } from "./connections.ts";
import { makeEvenLots } from "./even-lots.ts";
import type { HttpRequest } from "./http-request.ts";

/** Chance that can be had again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Plan {
  readonly sockets: number;
  readonly drainTimeMs: number;
  readonly closeOverMs?: number;
}

function connectionsBy(options: Partial<ConnectionsOptions> & { readonly clock: Clock }): Connections {
  return new Connections({
    maxConcurrency: 10_000,
    draw: () => ({ maxRequests: Number.POSITIVE_INFINITY, maxAgeMs: Number.POSITIVE_INFINITY }),
    drawClose: () => 0,
    drainTimeMs: 0,
    closeWebSocketsOverMs: undefined,
    onFull: () => undefined,
    onClosed: () => undefined,
    ...options,
  });
}

/** After how long each WebSocket is told to go, when the stop signal comes. */
function planOf({ sockets, drainTimeMs, closeOverMs }: Plan, seed: number): number[] {
  const delays: number[] = [];
  const clock: Clock = { now: () => 1000, after: (ms) => (delays.push(ms), () => undefined) };
  const connections = connectionsBy({ clock, drawClose: makeEvenLots(seeded(seed)), drainTimeMs, closeWebSocketsOverMs: closeOverMs });
  for (let n = 0; n < sockets; n++) {
    const connection = new Connection(new EventEmitter() as TrackedSocket, 0);
    connection.upgrade = { switchStatus: 101 } as HttpRequest;
    connections.open.add(connection);
  }
  connections.drain();
  return delays;
}

/** The most of these that lie in any window of this length. */
function worst(delays: readonly number[], windowMs: number): number {
  const sorted = delays.toSorted((a, b) => a - b);
  let [most, begin] = [0, 0];
  for (const [end, delay] of sorted.entries()) {
    while (delay - (sorted[begin] as number) >= windowMs) begin++;
    most = Math.max(most, end - begin + 1);
  }
  return most;
}

test.each<Plan>([
  { sockets: 40, drainTimeMs: 5000 },
  { sockets: 100, drainTimeMs: 5000 },
  { sockets: 1000, drainTimeMs: 5000 },
  { sockets: 5000, drainTimeMs: 5000 },
  { sockets: 1000, drainTimeMs: 100, closeOverMs: 5000 },
  { sockets: 1000, drainTimeMs: 5000, closeOverMs: 60_000 },
])("closes of WebSockets are planned evenly, whatever the lot begins with: %o", (plan) => {
  const { sockets, drainTimeMs, closeOverMs = drainTimeMs } = plan;
  for (let seed = 1; seed <= 50; seed++) {
    const delays = planOf(plan, seed);
    expect(delays).toHaveLength(sockets);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThan(closeOverMs);
    for (const windowMs of [closeOverMs / 50, 500, closeOverMs / 4]) {
      // Their even share, and a few more at the borders.
      expect(worst(delays, windowMs)).toBeLessThanOrEqual((sockets * windowMs) / closeOverMs + 4);
    }
    // 500 ms of five seconds and more: a tenth.
    expect(worst(delays, 500) / sockets).toBeLessThanOrEqual(0.15);
  }
});

test.each([
  { bytes: 0, keptMs: 250 },
  { bytes: 1_000_000, keptMs: 1250 },
  { bytes: 3_000_000, keptMs: 3250 },
  { bytes: 4_000_000, keptMs: 4250 },
  { bytes: 10 ** 12, keptMs: 4250 },
])("an idle connection is ended after $keptMs ms of silence where its last answer had $bytes bytes", async ({ bytes, keptMs }) => {
  for (const comesAt of [undefined, keptMs - 25]) {
    let now = 0;
    let tick = (): void => undefined;
    const clock: Clock = { now: () => now, after: (_ms, callback) => ((tick = callback), () => undefined) };
    const connections = connectionsBy({ clock });
    const ends: number[] = [];
    const socket = Object.assign(new EventEmitter(), { bytesRead: 0, destroySoon: () => void ends.push(now) });
    const connection = new Connection(socket as unknown as TrackedSocket, 0);
    connection.lastAnswerBytes = bytes;
    connections.open.add(connection);
    connections.drain();
    void connections.end(new AbortController().signal);
    while (ends.length === 0 && now < 60_000) {
      now += 25;
      // The client sends something, and has its answer when that has been seen.
      connection.activeRequests = now === comesAt ? 1 : 0;
      if (now === comesAt) socket.bytesRead += 100;
      tick();
      await new Promise((resolve) => setImmediate(resolve));
      if (now === comesAt) connection.idleSince = now;
    }
    expect(ends).toEqual([(comesAt ?? 0) + keptMs]);
  }
});

test.each(["accepted", "answered"])(
  "a connection that was %s in this turn is not ended for a standstill of the process before the end of the turn",
  async (what) => {
    let now = 0;
    let tick = (): void => undefined;
    const clock: Clock = { now: () => now, after: (_ms, callback) => ((tick = callback), () => undefined) };
    const connections = connectionsBy({ clock });
    let isEnded = false;
    const socket = Object.assign(new EventEmitter(), { bytesRead: 0, destroySoon: () => void (isEnded = true) });
    const connection = new Connection(socket as unknown as TrackedSocket, 0);
    const busy = new Connection(new EventEmitter() as TrackedSocket, 0);
    busy.activeRequests = 1;
    connection.activeRequests = 1;
    connections.open.add(what === "answered" ? connection : busy);
    connections.drain();
    void connections.end(new AbortController().signal);
    // The order of a turn: timers, sockets, what setImmediate was asked for.
    now = 1000;
    tick();
    connections.open.add(connection);
    connection.activeRequests = 0;
    connection.idleSince = now;
    now = 9000;
    await new Promise((resolve) => setImmediate(resolve));
    expect(isEnded).toBe(false);
    // What has come meanwhile is read in the next turn; from here on nothing comes.
    tick();
    connection.idleSince = now;
    await new Promise((resolve) => setImmediate(resolve));
    expect(isEnded).toBe(false);
    now += 250;
    tick();
    await new Promise((resolve) => setImmediate(resolve));
    expect(isEnded).toBe(true);
  },
);
