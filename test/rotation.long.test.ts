import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { Agent, request } from "node:http";
import { once } from "node:events";
import { freePort, load, lost, makeTemporaryFolder, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { Pool } from "undici";
import { hasProgram } from "./support/measured.ts";
import { startNginx } from "./support/proxies.ts";
import { roundRobin } from "./support/round-robin.ts";
import { serve, type Served } from "./support/serve.ts";

// How many requests each client sends; 50,000 each make the 200,000 that are counted by hand.
const requests = Number(process.env["TSSERVE_ROTATED_REQUESTS"] ?? 1500);
const rotated = { max_keepalive_requests: "20", access_log: "false", "metrics.enabled": "false" };

/** Each sends its share, every second one a POST, and gives what was not answered with 200. */
const clients = {
  undici: async (port: number) => {
    const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 16 });
    const failures = await share(16, async (n) => {
      const { statusCode, body } = await pool.request(
        n % 2 === 0 ? { path: "/", method: "GET" } : { path: "/", method: "POST", body: "x" },
      );
      return (await body.text()) === "ok" && statusCode === 200;
    });
    await pool.close();
    return failures;
  },
  "Node's agent": async (port: number) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 16 });
    const failures = await share(16, async (n) => {
      const sent = request({ agent, port, host: "127.0.0.1", method: n % 2 === 0 ? "GET" : "POST" });
      sent.end(n % 2 === 0 ? undefined : "x");
      const [response] = (await once(sent, "response")) as [NodeJS.ReadableStream & { readonly statusCode?: number }];
      response.resume();
      await once(response, "end");
      return response.statusCode === 200;
    });
    agent.destroy();
    return failures;
  },
};

async function share(parallel: number, send: (n: number) => Promise<boolean>): Promise<string[]> {
  const failures: string[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      while (next < requests) {
        const n = next++;
        const failure = await send(n).then(
          (isRight) => (isRight ? undefined : "a wrong answer"),
          (error: unknown) => String(error),
        );
        if (failure !== undefined) failures.push(failure);
      }
    }),
  );
  return failures;
}

async function counts(server: Served): Promise<{ most: number; total: number }> {
  return (await (await fetch(`${await server.listening()}/counts`)).json()) as { most: number; total: number };
}

describe("connections that end after 20 requests lose none, and no client is refused", () => {
  for (const [name, send] of Object.entries(clients)) {
    test(name, async () => {
      await using server = serve({ app: "counts.js", server: rotated });
      expect(await send(Number(new URL(await server.listening()).port))).toEqual([]);
      const { most, total } = await counts(server);
      expect(total).toBe(requests);
      expect(most).toBeLessThanOrEqual(20);
      expect(most).toBeGreaterThan(1);
    });
  }

  test.skipIf(!hasProgram("/usr/sbin/nginx"))("nginx", async () => {
    await using server = serve({ app: "counts.js", server: rotated });
    const upstream = new URL(await server.listening()).host;
    const port = await freePort();
    const folder = makeTemporaryFolder();
    const site = `upstream a { server ${upstream}; keepalive 16; }\nserver { listen 127.0.0.1:${port}; location / { proxy_pass http://a; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_next_upstream off; } }`;
    await using nginx = startNginx(folder.path, site);
    await until(
      "nginx",
      () =>
        fetch(`http://127.0.0.1:${port}/counts`).then(
          ({ ok }) => ok,
          () => false,
        ),
      { describe: nginx.said },
    );
    expect(await clients.undici(port)).toEqual([]);
    const { most, total } = await counts(server);
    expect(total).toBe(requests);
    expect(most).toBeLessThanOrEqual(20);
    folder.remove();
  });

  test.skipIf(!existsSync("/usr/bin/wrk"))("wrk", async () => {
    await using server = serve({ app: "counts.js", server: rotated });
    const seconds = Math.max(2, Math.round(requests / 3000));
    const { stdout } = spawnSync("wrk", ["-t1", "-c32", `-d${seconds}s`, await server.listening()], { encoding: "utf8" });
    expect(stdout).not.toMatch(/Socket errors|Non-2xx/);
    const { most } = await counts(server);
    expect(most).toBeLessThanOrEqual(20);
  });
});

test("clients that keep their connections come to an instance that was added: each has a third of the requests at least", async () => {
  await using first = serve({ app: "counts.js", server: rotated });
  await using second = serve({ app: "counts.js", server: rotated });
  const ports = await Promise.all([first, second].map(async (server) => Number(new URL(await server.listening()).port)));
  await using balancer = await roundRobin(ports.slice(0, 1));
  const stop = new AbortController();
  const running = load({ port: balancer.port, clients: 20, keepAlive: true, expect: "ok", signal: stop.signal });
  await until("all clients on the first", async () => (await counts(first)).total > 200);
  balancer.upstreams = ports;
  const before = (await counts(first)).total;
  const since = async (): Promise<number[]> => [(await counts(first)).total - before, (await counts(second)).total];
  const shares = await until(
    "some thousands of requests",
    async () => {
      const [one = 0, two = 0] = await since();
      return one + two > 4000 ? [one / (one + two), two / (one + two)] : undefined;
    },
    { timeoutMs: 60_000 },
  );
  stop.abort();
  const result = await running;
  expect([lost(result), result.failures]).toEqual([0, []]);
  expect(Math.min(...shares)).toBeGreaterThan(0.3);
});
