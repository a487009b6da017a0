import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { propagateToFetch } from "./propagate-to-fetch.ts";

/** Answers with the traceparent that it was sent. */
let server: Server;
let url = "";
beforeAll(async () => {
  server = createServer((request, response) => response.end(request.headers["traceparent"] ?? "none")).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const own = "00-11111111111111111111111111111111-2222222222222222-01";

describe("fetch", () => {
  it("takes the context along, unless the app does so itself, or there is none", async () => {
    let current: string | undefined = traceparent;
    const end = propagateToFetch(() => current);
    const ask = async (headers: Record<string, string> = {}): Promise<string> => (await fetch(url, { headers })).text();
    expect(await ask()).toBe(traceparent);
    expect(await ask({ accept: "text/plain" })).toBe(traceparent);
    expect(await ask({ TraceParent: own })).toBe(own);
    current = undefined;
    expect(await ask()).toBe("none");
    current = traceparent;
    end();
    expect(await ask()).toBe("none");
  });
});
