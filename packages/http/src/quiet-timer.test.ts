import { once } from "node:events";
import { connect, createServer, Socket, type AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock, type Clock } from "@tsserve/server";
import { keepQuietTimer, type Idling } from "./quiet-timer.ts";

const server = createServer((socket) => {
  opened.push(socket);
  socket.on("data", (chunk) => socket.write(chunk));
});
const opened: Socket[] = [];
beforeAll(async () => void (await once(server.listen(0, "127.0.0.1"), "listening")));
afterAll(() => {
  for (const socket of opened) socket.destroy();
  server.close();
});

const busy: Idling = { isIdle: false, idleSince: 0 };

async function open(idling = busy, clock: Clock = systemClock): Promise<Socket> {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  opened.push(socket);
  await once(socket, "connect");
  keepQuietTimer(socket, idling, clock);
  return socket;
}

const ms = 30;
/** Timers of equal length end in the order in which they were set: when this one has ended, all that were set before have. */
async function afterAnother(length = ms): Promise<void> {
  const later = new Socket();
  later.setTimeout(length);
  await once(later, "timeout");
}

describe("a socket's one timer", () => {
  test("ends when it is set, called off and set again", async () => {
    const socket = await open();
    socket.setTimeout(ms);
    socket.setTimeout(0);
    expect(socket.timeout).toBe(0);
    socket.setTimeout(ms);
    expect(socket.timeout).toBe(ms);
    await once(socket, "timeout");
  });

  test("tells nothing when it ends while it is called off, and can be set again", async () => {
    const socket = await open();
    let told = 0;
    socket.on("timeout", () => (told += 1));
    socket.setTimeout(ms);
    socket.setTimeout(0);
    await afterAnother();
    expect(told).toBe(0);
    socket.setTimeout(ms);
    await once(socket, "timeout");
    expect(told).toBe(1);
  });

  test("what comes puts it off, also when it has ended once", async () => {
    const socket = await open();
    socket.setTimeout(ms);
    await once(socket, "timeout");
    socket.setTimeout(0);
    socket.setTimeout(ms);
    socket.write("?");
    await once(socket, "data");
    await once(socket, "timeout");
  });

  test.each([ms * 2, ms / 2])("takes another time (%d ms)", async (other) => {
    const socket = await open();
    let told = 0;
    socket.on("timeout", () => (told += 1));
    socket.setTimeout(ms);
    socket.setTimeout(0);
    socket.setTimeout(other);
    expect(socket.timeout).toBe(other);
    // It may be looked at a moment too early, and is set again for what is left.
    await once(socket, "timeout");
    expect(told).toBe(1);
  });

  test("an app's callback is called once, and is taken back as Node has it", async () => {
    const socket = await open();
    const called: string[] = [];
    const taken = (): void => void called.push("taken back");
    socket.setTimeout(ms);
    socket.setTimeout(ms, taken);
    expect(socket.listenerCount("timeout")).toBe(1);
    socket.setTimeout(0, taken);
    expect(socket.listenerCount("timeout")).toBe(0);
    socket.setTimeout(ms, () => called.push("kept"));
    await once(socket, "timeout");
    socket.setTimeout(ms);
    await once(socket, "timeout");
    expect(called).toEqual(["kept"]);
  });

  test.each([-1, Number.NaN, "soon" as unknown as number])("says what Node says of %s", async (nonsense) => {
    const socket = await open();
    socket.setTimeout(ms);
    const thrownBy = (each: Socket): unknown => {
      try {
        each.setTimeout(nonsense);
        return undefined;
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      }
    };
    expect(thrownBy(socket)).toBe(thrownBy(new Socket()));
  });

  test("ends as long after the last request as it is set to, however often it was set before", async () => {
    let time = 0;
    const idling = { isIdle: true, idleSince: 0 };
    const socket = await open(idling, { now: () => time, after: systemClock.after });
    let told = 0;
    socket.on("timeout", () => (told += 1));
    socket.setTimeout(ms);
    for (let requests = 0; requests < 3; requests++) {
      socket.setTimeout(0);
      time += ms;
      idling.idleSince = time;
      socket.setTimeout(ms);
      await afterAnother();
      expect([told, socket.timeout]).toEqual([0, ms]);
    }
    time += ms;
    await once(socket, "timeout");
    expect(told).toBe(1);
  });

  test("is put off by what comes between requests, and not by what was before it was set", async () => {
    let time = 0;
    const socket = await open({ isIdle: true, idleSince: 0 }, { now: () => time, after: systemClock.after });
    let told = 0;
    socket.on("timeout", () => (told += 1));
    socket.setTimeout(ms);
    time += ms;
    socket.write("?");
    await once(socket, "data");
    await afterAnother();
    expect(told).toBe(0);
    time += ms;
    await once(socket, "timeout");
    expect(told).toBe(1);
  });

  test("of a connection that is not idle counts from when it was set", async () => {
    let time = ms;
    const socket = await open({ isIdle: false, idleSince: 0 }, { now: () => time, after: systemClock.after });
    let told = 0;
    socket.on("timeout", () => (told += 1));
    socket.setTimeout(ms);
    time += ms;
    socket.setTimeout(ms);
    await afterAnother();
    expect(told).toBe(0);
    time += ms;
    await once(socket, "timeout");
  });

  test("gives the socket back, also a destroyed one", async () => {
    const socket = await open();
    expect(socket.setTimeout(ms)).toBe(socket);
    expect(socket.setTimeout(0)).toBe(socket);
    expect(socket.setTimeout(ms)).toBe(socket);
    socket.destroy();
    expect(socket.setTimeout(0)).toBe(socket);
  });
});
