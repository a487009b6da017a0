import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import type { Clock } from "@tsserve/server";
import { Connection, type TrackedSocket } from "./connection.ts";
import { Connections } from "./connections.ts";
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

/** After how long each WebSocket is told to go, when the stop signal comes. */
function planOf({ sockets, drainTimeMs, closeOverMs }: Plan, seed: number): number[] {
  const delays: number[] = [];
  const clock: Clock = { now: () => 1000, after: (ms) => (delays.push(ms), () => undefined) };
  const connections = new Connections({
    maxConcurrency: 10_000,
    clock,
    draw: () => ({ maxRequests: Number.POSITIVE_INFINITY, maxAgeMs: Number.POSITIVE_INFINITY }),
    drawClose: makeEvenLots(seeded(seed)),
    drainTimeMs,
    closeWebSocketsOverMs: closeOverMs,
    onFull: () => undefined,
    onClosed: () => undefined,
  });
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
