import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { addressesOf, boundListeners } from "./bound.ts";

describe("the addresses of an endpoint", () => {
  test.each([
    [{ host: "127.0.0.1", port: 80 }, ["127.0.0.1"]],
    [{ host: "::1", port: 80 }, ["::1"]],
    [{ host: "", port: 80 }, [""]],
  ])("%o are themselves", async (endpoint, addresses) => {
    expect(await addressesOf(endpoint)).toEqual(addresses);
  });

  test("localhost begins with IPv4's; with port 0 it is one, because each would get another port", async () => {
    const [first] = await addressesOf({ host: "localhost", port: 80 });
    expect(first).toBe("127.0.0.1");
    expect(await addressesOf({ host: "localhost", port: 0 })).toHaveLength(1);
  });

  test("of a name that nobody knows are told with the place", async () => {
    await expect(addressesOf({ host: "no-such-host.invalid", port: 80 })).rejects.toThrow(/^cannot listen on no-such-host\.invalid:80: /);
  });
});

describe("a listener", () => {
  test("binds nothing before it is used, then where it says, with the backlog that is asked for", async () => {
    const [listener, ...others] = await boundListeners({ host: "127.0.0.1", port: 0 }, { backlog: 7 });
    expect(others).toEqual([]);
    expect(listener?.inherited).toBe(false);
    expect(await listener?.listenOptions()).toEqual({ host: "127.0.0.1", port: 0, backlog: 7 });
    const server = createServer();
    await listener?.listen(server);
    expect((server.address() as AddressInfo).address).toBe("127.0.0.1");
    server.close();
    await once(server, "close");
  });

  test("of a port that is taken is refused in words", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    const [listener] = await boundListeners({ host: "127.0.0.1", port });
    await expect(listener?.listen(createServer())).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: the address is already in use`);
    taken.close();
    await once(taken, "close");
  });

  test("of a unix path that is too long is refused before anything is bound", async () => {
    await expect(boundListeners({ path: `/${"x".repeat(200)}` })).rejects.toThrow(/at most \d+ bytes/);
  });
});
