import { complianceTests, openRaw, until } from "@tsserve/testing";
import Fastify from "fastify";
import { describe, expect, test } from "vitest";
import { makeServer } from "tsserve/http";
import type { Server, ServerFactory } from "@tsserve/server";

async function request(port: number, path: string): Promise<{ answer: Promise<void> }> {
  const raw = await openRaw(`http://127.0.0.1:${port}`);
  raw.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  const answer = raw.closed().then((text) => {
    if (!/^HTTP\/1\.1 200[^]*done(\r\n0\r\n\r\n)?$/.test(text)) throw new Error(`expected a full answer, found ${JSON.stringify(text)}`);
  });
  return { answer };
}

function subject(makeApp: () => { app: unknown; release(): void; begun: () => number }): Parameters<typeof complianceTests>[0] {
  let current: ReturnType<typeof makeApp>;
  return {
    makeServer: makeServer,
    makeApp: () => (current = makeApp()),
    quickRequest: async (port) => (await request(port, "/quick")).answer,
    slowRequest: async (port) => {
      const before = current.begun();
      const { answer } = await request(port, "/slow");
      answer.catch(() => undefined);
      await until("the slow request to begin", () => current.begun() > before);
      return { answer };
    },
  };
}

/** A gate that slow requests wait at. */
function gate(): { wait(): Promise<void>; release(): void; begun(): number } {
  let release: () => void = () => undefined;
  let begun = 0;
  const released = new Promise<void>((resolve) => (release = resolve));
  return { wait: () => ((begun += 1), released), release: () => release(), begun: () => begun };
}

const kinds = {
  "a Fastify instance": () => {
    const slow = gate();
    const app = Fastify();
    app.get("/quick", async () => "done");
    app.get("/slow", async () => slow.wait().then(() => "done"));
    return { ...slow, app };
  },
  "a request listener": () => {
    const slow = gate();
    const app = (incoming: { url: string }, response: { end(text: string): void }): void => {
      if (incoming.url === "/quick") response.end("done");
      else void slow.wait().then(() => response.end("done"));
    };
    return { ...slow, app };
  },
  "a fetch app": () => {
    const slow = gate();
    const fetch = async (asked: Request): Promise<Response> => {
      if (asked.url.endsWith("/slow")) await slow.wait();
      return new Response("done");
    };
    return { ...slow, app: { fetch } };
  },
};

for (const [kind, makeApp] of Object.entries(kinds)) {
  describe(`tsserve/http with ${kind}`, () => {
    for (const { name, run } of complianceTests(subject(makeApp))) test(name, run);
  });
}

const broken: readonly [what: string, change: (server: Server) => Partial<Server>, found: readonly string[]][] = [
  ["is right", () => ({}), []],
  [
    "stops without waiting",
    (server) => ({ stop: async () => (await server.stop(AbortSignal.abort()), { cut: 0 }) }),
    ["finishes what is in progress when stopped, and refuses what is new", "cuts and counts what is in progress at the deadline"],
  ],
  [
    "counts nothing",
    () => ({ stats: () => ({ openConnections: 0, activeRequests: 0 }) }),
    ["counts requests in progress and open connections"],
  ],
];

test.each(broken)("of a server that %s the suite finds just that", async (_what, change, expected) => {
  const make: ServerFactory = async (...given) => {
    const server = await makeServer(...given);
    return { ...server, ...change(server) };
  };
  const found: string[] = [];
  // One after the other: they share the app's gate.
  for (const { name, run } of complianceTests({ ...subject(kinds["a request listener"]), makeServer: make }))
    await run().catch(() => found.push(name));
  expect(found).toEqual(expected);
});
