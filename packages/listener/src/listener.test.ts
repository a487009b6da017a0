import { once } from "node:events";
import { createServer, type AddressInfo, type ListenOptions, type Server } from "node:net";
import { describe, expect, test } from "vitest";
import { ListenError } from "./listen-error.ts";
import { makeListener } from "./listener.ts";

const endpoint = { host: "127.0.0.1", port: 0 };
const close = async (server: Server): Promise<void> => void (await once(server.close(), "close"));

describe("a listener", () => {
  test("accepts connections once it resolves, and leaves no listener of its own on the server", async () => {
    const server = createServer((socket) => socket.end());
    const before = server.listenerCount("error");
    await makeListener(endpoint, false, () => Promise.resolve(endpoint)).listen(server);
    expect(server.listening).toBe(true);
    expect(server.listenerCount("error")).toBe(before);
    await close(server);
  });

  test("says what it is: where, and whether a master holds its socket", () => {
    const options = (): Promise<ListenOptions> => Promise.resolve({});
    expect(makeListener({ path: "/run/a.sock" }, true, options)).toMatchObject({ endpoint: { path: "/run/a.sock" }, inherited: true });
    expect(makeListener(endpoint, false, options)).toMatchObject({ endpoint, inherited: false, listenOptions: options });
  });

  test.each<[string, (taken: number) => ListenOptions, string, RegExp]>([
    ["a port that is taken", (port) => ({ host: "127.0.0.1", port }), "EADDRINUSE", /already in use/],
    ["an address of another machine", () => ({ host: "192.0.2.1", port: 0 }), "EADDRNOTAVAIL", /does not belong to this machine/],
    ["a folder that is not there", () => ({ path: "/nonexistent/a.sock" }), "EACCES|ENOENT", /permission denied|does not exist/],
  ])("of %s is refused in words that name the place; the server can listen elsewhere then", async (_, options, code, words) => {
    const other = createServer();
    await once(other.listen(0, "127.0.0.1"), "listening");
    const server = createServer();
    const given = options((other.address() as AddressInfo).port);
    const failed = await makeListener({ path: "the place" }, false, () => Promise.resolve(given))
      .listen(server)
      .then(() => undefined)
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(ListenError);
    expect((failed as ListenError).systemCode).toMatch(new RegExp(`^(?:${code})$`));
    expect((failed as ListenError).message).toMatch(/^cannot listen on the place: /);
    expect((failed as ListenError).message).toMatch(words);
    await makeListener(endpoint, false, () => Promise.resolve(endpoint)).listen(server);
    expect(server.listening).toBe(true);
    await Promise.all([close(other), close(server)]);
  });

  test("whose options can't be had tells why, and touches no server", async () => {
    const server = createServer();
    const reason = new ListenError("the file of the socket is a folder");
    await expect(makeListener(endpoint, false, () => Promise.reject(reason)).listen(server)).rejects.toBe(reason);
    expect(server.listening).toBe(false);
    expect(server.listenerCount("error")).toBe(0);
  });
});
