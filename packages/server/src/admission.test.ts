import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { Admission } from "./admission.ts";
import { scanForIdle } from "./scan-for-idle.ts";

class FakeSocket extends EventEmitter {
  destroyed = false;
  resumed = 0;
  resume(): void {
    this.resumed += 1;
  }
  destroy(): void {
    this.destroyed = true;
    this.emit("close");
  }
}

/** An admission over connections that are plain values, on a clock that a test turns. */
function rig(limit: number) {
  let now = 0;
  let timers: { readonly at: number; readonly callback: () => void }[] = [];
  const served = new Map<FakeSocket, { isIdle: boolean; idleSince: number }>();
  const said: number[] = [];
  const admission = new Admission(
    limit,
    {
      count: () => served.size,
      takeIdle: (then) => {
        const idle = [...served].filter(([, each]) => each.isIdle && each.idleSince <= then);
        const [longest] = idle.sort(([, a], [, b]) => a.idleSince - b.idleSince);
        return longest?.[0] as unknown as Socket | undefined;
      },
    },
    {
      now: () => now,
      after: (ms, callback) => {
        timers.push({ at: now + ms, callback });
        return () => undefined;
      },
    },
    (waiting) => said.push(waiting),
  );
  return {
    admission,
    served,
    said,
    arrive(): FakeSocket {
      const socket = new FakeSocket();
      admission.arrive(socket as unknown as Socket, () => {
        served.set(socket, { isIdle: true, idleSince: now });
        socket.once("close", () => {
          served.delete(socket);
          admission.left();
        });
      });
      return socket;
    },
    async turn(ms: number): Promise<void> {
      now += ms;
      const due = timers.filter(({ at }) => at <= now);
      timers = timers.filter(({ at }) => at > now);
      for (const { callback } of due) callback();
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

describe("admission", () => {
  test("so many are served, the next wait in their order, and are served as others leave", async () => {
    const { admission, served, said, arrive } = rig(2);
    const [a, b] = [arrive(), arrive()];
    for (const each of served.values()) each.isIdle = false;
    const [c, d] = [arrive(), arrive()];
    expect([[...served.keys()], admission.waiting, said]).toEqual([[a, b], 2, [1]]);
    b.destroy();
    expect([[...served.keys()], admission.waiting, c.resumed]).toEqual([[a, c], 1, 1]);
    a.destroy();
    expect([[...served.keys()], admission.waiting]).toEqual([[c, d], 0]);
  });

  test("who leaves while waiting is passed over", () => {
    const { admission, served, arrive } = rig(1);
    const a = arrive();
    for (const each of served.values()) each.isIdle = false;
    const b = arrive();
    b.destroy();
    const c = arrive();
    expect(admission.waiting).toBe(1);
    a.destroy();
    expect([served.has(b), served.has(c), admission.waiting]).toEqual([false, true, 0]);
  });

  test("an idle connection is judged by the time before the sockets were read: a process that stood still does not make it idle", async () => {
    const { served, arrive, turn } = rig(1);
    const a = arrive();
    await turn(100);
    const b = arrive();
    // It stands still for five seconds before it can look.
    await turn(5000);
    expect([served.has(a), served.has(b)]).toEqual([true, false]);
    await turn(50);
    expect([served.has(a), served.has(b)]).toEqual([false, true]);
  });

  test("as many may wait as are served; more are turned away", () => {
    const { served, admission, arrive } = rig(2);
    arrive();
    arrive();
    for (const each of served.values()) each.isIdle = false;
    const waiting = [arrive(), arrive()];
    expect(arrive().destroyed).toBe(true);
    expect([waiting.map(({ destroyed }) => destroyed), admission.waiting]).toEqual([[false, false], 2]);
  });

  test("the longest idle gives way, when it has idled for a while, and the sockets have been read", async () => {
    const { served, arrive, turn } = rig(2);
    const a = arrive();
    await turn(100);
    const b = arrive();
    await turn(100);
    const c = arrive();
    expect(a.destroyed).toBe(false);
    await turn(0);
    expect(a.destroyed).toBe(false);
    await turn(60);
    expect([a.destroyed, b.destroyed, served.has(c)]).toEqual([true, false, true]);
  });

  test("one that has a request in progress never gives way", async () => {
    const { served, arrive, turn } = rig(1);
    const a = arrive();
    for (const each of served.values()) each.isIdle = false;
    arrive();
    for (let n = 0; n < 20; n++) await turn(100);
    expect(a.destroyed).toBe(false);
  });

  test("without its limit, all that wait are served", () => {
    const { admission, served, arrive } = rig(1);
    arrive();
    for (const each of served.values()) each.isIdle = false;
    arrive();
    admission.open();
    arrive();
    expect([served.size, admission.waiting]).toEqual([3, 0]);
  });
});

test("a look for idle connections finds the longest idle first, and none that has become busy meanwhile", () => {
  let now = 1000;
  const connections = [300, 100, 200].map((idleSince) => ({
    socket: { destroyed: false, idleSince } as unknown as Socket,
    isIdle: true,
    idleSince,
  }));
  const admitted = scanForIdle(new Set(connections), { now: () => now, after: () => () => undefined });
  expect(admitted.count()).toBe(3);
  expect(admitted.takeIdle(now - 250)).toBe(connections[1]?.socket);
  (connections[2] as { isIdle: boolean }).isIdle = false;
  expect(admitted.takeIdle(now - 250)).toBe(connections[0]?.socket);
  expect(admitted.takeIdle(now - 250)).toBeUndefined();
  (connections[2] as { isIdle: boolean }).isIdle = true;
  now += 100;
  expect(admitted.takeIdle(now - 250)).toBe(connections[1]?.socket);
});
