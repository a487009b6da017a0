import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { loadService } from "../service/load-service.ts";
import { framed, message } from "../../../../test/support/thrift.ts";
import { makeClient, type ThriftClient } from "./make-client.ts";
import type { ClientOptions } from "./options.ts";

const bench = loadService(fileURLToPath(new URL("../../../../test/fixtures/thrift/bench.thrift", import.meta.url)), "Bench");
const toClose: (() => void)[] = [];
afterEach(() => {
  for (const close of toClose.splice(0)) close();
});

interface Peer {
  readonly sockets: Socket[];
  /** Whole frames that have come, by their connection. */
  readonly calls: { readonly socket: Socket; readonly sequenceId: number }[];
  client(options?: Partial<ClientOptions>): ThriftClient;
  answer(): void;
}

/** A server that keeps calls of `ping` until the test answers them. */
async function serve(): Promise<Peer> {
  const sockets: Socket[] = [];
  const calls: { readonly socket: Socket; readonly sequenceId: number }[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (bytes: Buffer) => {
      for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32BE(at)) calls.push({ socket, sequenceId: bytes.readInt32BE(at + 16) });
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  toClose.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    sockets,
    calls,
    client: (options) => {
      const client = makeClient(bench, {
        endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`,
        form: "framed binary",
        timeoutMs: 10_000,
        ...options,
      });
      toClose.push(() => client.close());
      return client;
    },
    answer: () => {
      const { socket, sequenceId } = calls.shift() ?? {};
      socket?.write(framed(message("binary", "ping", undefined, { type: 2, sequenceId: sequenceId ?? 0 })));
    },
  };
}

const ping = (client: ThriftClient): Promise<unknown> => client.call("ping", []).then(() => "answered", (error: unknown) => (error as { code?: string }).code); // prettier-ignore

describe("a pool", () => {
  test("makes as many connections as there are calls at once, and uses them again", async () => {
    const peer = await serve();
    const client = peer.client({ size: 3 });
    const calls = Array.from({ length: 5 }, () => ping(client));
    await expect.poll(() => peer.calls.length).toBe(3);
    expect(client.figures()).toEqual({ size: 3, idle: 0, inUse: 3, waiting: 2 });
    peer.answer();
    await expect.poll(() => peer.calls.length).toBe(3);
    for (let count = 0; count < 4; count++) {
      await expect.poll(() => peer.calls.length).toBeGreaterThan(0);
      peer.answer();
    }
    expect(await Promise.all(calls)).toEqual(Array(5).fill("answered"));
    expect([client.figures(), peer.sockets.length]).toEqual([{ size: 3, idle: 3, inUse: 0, waiting: 0 }, 3]);
  });

  test("sends several calls on one connection where it may", async () => {
    const peer = await serve();
    const client = peer.client({ size: 1, maxPipelined: 4 });
    const calls = Array.from({ length: 6 }, () => ping(client));
    await expect.poll(() => peer.calls.length).toBe(4);
    for (let count = 0; count < 6; count++) {
      await expect.poll(() => peer.calls.length).toBeGreaterThan(0);
      peer.answer();
    }
    expect(await Promise.all(calls)).toEqual(Array(6).fill("answered"));
    expect(peer.sockets).toHaveLength(1);
  });

  test("does not use a connection that the server has ended, however late it looks", async () => {
    const peer = await serve();
    const client = peer.client({ size: 1 });
    for (let round = 1; round <= 5; round++) {
      const call = ping(client);
      await expect.poll(() => peer.calls.length).toBe(1);
      peer.answer();
      expect(await call).toBe("answered");
      const [socket] = peer.sockets.slice(-1);
      await new Promise<void>((resolve) => socket?.end(resolve));
      // The end is here, and has not been looked at: this process was busy.
      const busyUntil = performance.now() + 20;
      while (performance.now() < busyUntil);
      expect(peer.sockets).toHaveLength(round);
    }
  });

  test("a call that waits for a connection fails with what keeps it from having one", async () => {
    const peer = await serve();
    const client = peer.client({ size: 1, timeoutMs: 100 });
    expect(await Promise.all([ping(client), ping(client)])).toEqual(expect.arrayContaining(["TIMED_OUT"]));
    const nowhere = makeClient(bench, { endpoint: "127.0.0.1:1", timeoutMs: 5000, size: 1 });
    expect(await Promise.all([ping(nowhere), ping(nowhere), ping(nowhere)])).toEqual(Array(3).fill("NOT_OPEN"));
    expect(nowhere.figures()).toEqual({ size: 0, idle: 0, inUse: 0, waiting: 0 });
    nowhere.close();
    expect(await ping(nowhere)).toBe("CLOSED");
  });

  test("an end before the answer leaves it open whether the server has acted", async () => {
    const peer = await serve();
    const client = peer.client({ size: 1 });
    const call = ping(client);
    await expect.poll(() => peer.calls.length).toBe(1);
    peer.sockets[0]?.end();
    expect(await call).toBe("END_OF_FILE");
    expect(client.figures().size).toBe(0);
  });
});
