import { once } from "node:events";
import { readFileSync, renameSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { join } from "node:path";
import { freePort, openRaw, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { scrape } from "./support/scrape.ts";
import { fixture, serve, type Served, type ServeOptions } from "./support/serve.ts";

const kinds = ["plain", "express", "fastify", "fetch"] as const;

function awkward(kind: string, server: Readonly<Record<string, string>>, options: ServeOptions = {}): Served {
  return serve({ app: "awkward.js", config: { kind }, server, ...options });
}

const get = (target: string, more = ""): string => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;

describe("rotation of connections", () => {
  for (const kind of kinds) {
    test(`${kind}: the answer with the last number says close, and nothing is refused`, async () => {
      await using server = awkward(kind, { max_keepalive_requests: "5", keepalive_jitter: "0%" });
      const { port } = new URL(await server.listening());
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const sockets = new Map<unknown, number>();
      for (let n = 0; n < 23; n++) {
        const [status, socket] = await getWith(agent, Number(port));
        expect(status).toBe(200);
        sockets.set(socket, (sockets.get(socket) ?? 0) + 1);
      }
      agent.destroy();
      expect([...sockets.values()]).toEqual([5, 5, 5, 5, 3]);
    });
  }

  test("of a pipeline that goes beyond, what ran is answered, and the rest does not run", async () => {
    await using server = awkward("plain", { max_keepalive_requests: "3", keepalive_jitter: "0%" });
    using raw = await openRaw(await server.listening());
    raw.send(Array.from({ length: 8 }, (_, n) => get(`/after?ms=20&text=n${n}`)).join(""));
    const answers = (await raw.closed()).match(/n\d/g) ?? [];
    await until("the lines", () => lines(server).length >= answers.length);
    expect(lines(server)).toHaveLength(answers.length);
    expect(answers.length).toBeGreaterThanOrEqual(3);
  });

  test("an old connection closes with its next answer", async () => {
    await using server = awkward("plain", { max_keepalive_time: "400 milliseconds" });
    using raw = await openRaw(await server.listening());
    raw.send(get("/young"));
    await raw.receives(/keep-alive[^]*hello \/young/i);
    for (let n = 0; !/connection: close/i.test(raw.received()); n++) {
      raw.send(get(`/${n}`));
      await raw.receives(new RegExp(`hello /${n}$`));
    }
    expect(await raw.closed()).toMatch(/connection: close[^]*hello \/\d+$/i);
  });
});

async function getWith(agent: Agent, port: number): Promise<[number | undefined, unknown]> {
  const sent = httpRequest({ agent, port, host: "127.0.0.1" }).end();
  const [response] = (await once(sent, "response")) as [NodeJS.ReadableStream & { statusCode?: number; socket: unknown }];
  const { socket, statusCode } = response;
  response.resume();
  await once(response, "end");
  return [statusCode, socket];
}

function lines(server: Served): ReturnType<Served["logs"]> {
  return server.logs().filter(({ logger }) => logger === "tsserve.access");
}

for (const kind of kinds) {
  test(`${kind}: more than max_active_requests get a 503 at once, probes their answer`, async () => {
    await using server = awkward(kind, { max_active_requests: "2" });
    const base = await server.listening();
    using first = await openRaw(base);
    using second = await openRaw(base);
    for (const raw of [first, second]) raw.send(get("/after?ms=1500&text=slow"));
    using third = await openRaw(base);
    await until("the limit to be reached", async () => {
      const { status, headers } = await fetch(`${base}/after?ms=0&text=x`);
      return status === 503 && headers.get("retry-after") === "1";
    });
    expect((await fetch(`${base}/health`)).status).toBe(200);
    third.send(get("/after?ms=0&text=third"));
    await third.receives(/^HTTP\/1\.1 503[^]*keep-alive/i);
    await first.receives(/slow/);
    await second.receives(/slow/);
    third.send(get("/after?ms=0&text=again"));
    await third.receives(/HTTP\/1\.1 200[^]*again/);
  });
}

describe("the id of a request", () => {
  for (const kind of kinds) {
    test(`${kind}: is one for the answer, the log and the errors module, a believed proxy's where it has one`, async () => {
      await using server = awkward(kind, { real_ip_from: "127.0.0.1", errors: fixture("errors.js"), client_max_size: "1K" });
      const base = await server.listening();
      const told = await fetch(base, { headers: { "x-request-id": "from-the-proxy" } });
      expect(told.headers.get("x-request-id")).toBe("from-the-proxy");
      const forged = await fetch(base, { headers: { "x-request-id": "two words" } });
      const own = await fetch(base);
      using raw = await openRaw(base);
      raw.send("garbage\r\n\r\n");
      const below = /^x-request-id: (.*?)\r$/im.exec(await raw.closed())?.[1];
      await until("the lines", () => lines(server).length === 4);
      const logged = lines(server);
      expect(logged.map(({ req_id: id }) => id)).toEqual([
        "from-the-proxy",
        forged.headers.get("x-request-id"),
        own.headers.get("x-request-id"),
        below,
      ]);
      expect(logged.map(({ upstream_id: id }) => id)).toEqual(["from-the-proxy", "two words", undefined, undefined]);
      expect(new Set(logged.map(({ req_id: id }) => id)).size).toBe(4);
    });

    test(`${kind}: is never a stranger's, and none where it is off`, async () => {
      await using server = awkward(kind, { request_id_header: "X-Correlation-Id" });
      const base = await server.listening();
      const answer = await fetch(base, { headers: { "x-correlation-id": "mine" } });
      expect(answer.headers.get("x-correlation-id")).toMatch(/^(?!mine$)./);
      await using off = awkward(kind, { request_id_header: "" });
      const { headers } = await fetch(await off.listening(), { headers: { "x-request-id": "mine" } });
      expect([...headers.keys()].filter((name) => name.endsWith("-id"))).toEqual([]);
    });
  }
});

describe("answers below the app", () => {
  for (const kind of kinds) {
    test(`${kind}: come from the errors module, with the server's name`, async () => {
      await using server = awkward(kind, {
        errors: fixture("errors.js"),
        server_header: "shop",
        client_max_size: "1K",
        header_timeout: "300 milliseconds",
        max_header_count: "20",
      });
      const base = await server.listening();
      const cases: readonly (readonly [number, string])[] = [
        [400, "garbage\r\n\r\n"],
        [400, "GET / HTTP/1.1\r\n\r\n"],
        [408, "GET / HTTP/1.1\r\nHos"],
        [417, get("/", "Expect: miracles\r\n")],
        [431, get("/", "X: y\r\n".repeat(30))],
        [431, get("/", `X: ${"y".repeat(20_000)}\r\n`)],
        ...(kind === "fastify" ? [] : [[413, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n"] as const]),
      ];
      for (const [status, text] of cases) {
        using raw = await openRaw(base);
        raw.send(text);
        const answer = await raw.closed();
        expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
        expect(answer).toMatch(/\r\nserver: shop\r\n/i);
        expect(answer).toMatch(/content-type: application\/problem\+json/i);
        expect(JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4))).toMatchObject({ problem: status });
      }
      expect((await fetch(base)).headers.get("server")).toBe("shop");
    });
  }

  for (const name of ["throws", "nonsense"]) {
    test(`a module that ${name} is logged once, and the built-in answer is sent`, async () => {
      await using server = awkward("plain", { errors: `${fixture("errors.js")}:${name}` });
      const base = await server.listening();
      for (let n = 0; n < 3; n++) {
        using raw = await openRaw(base);
        raw.send("garbage\r\n\r\n");
        expect(await raw.closed()).toMatch(/^HTTP\/1\.1 400[^]*"statusCode":400/);
      }
      expect(server.logs().filter(({ level }) => level === "error")).toHaveLength(1);
    });
  }
});

for (const kind of ["plain", "express", "fetch"] as const) {
  test(`${kind}: content_type is for what has a body and no type`, async () => {
    await using server = awkward(kind, { content_type: "text/x-default", server_header: "shop" });
    const base = await server.listening();
    const answer = await fetch(`${base}/after?ms=0&text=hi`);
    expect(answer.headers.get("content-type")).toBe(kind === "fetch" ? "text/plain;charset=UTF-8" : "text/x-default");
    expect((await fetch(`${base}/after?ms=0&text=`)).headers.get("content-type")).toBe(
      kind === "fetch" ? "text/plain;charset=UTF-8" : null,
    );
  });
}

describe("WebSockets", () => {
  for (const [what, code] of [
    ["a stop", 1001],
    ["an upgrade", 1012],
  ] as const) {
    test(`${what} closes them with ${code}, spread over websocket.close_over, counted and logged`, async () => {
      const port = await freePort();
      await using server = awkward("fastify", { "websocket.close_over": "1 second", "metrics.endpoint": `127.0.0.1:${port}` });
      const base = (await server.listening()).replace("http", "ws");
      const sockets = await Promise.all(
        Array.from({ length: 20 }, async () => {
          const socket = new WebSocket(base);
          await once(socket, "open");
          return socket;
        }),
      );
      await until("the gauge", async () => (await scrape(port).catch(() => undefined))?.sum("http_server_open_upgrades") === 20);
      const closes = sockets.map(async (socket) => [((await once(socket, "close")) as [number])[0], performance.now()] as const);
      server.kill(code === 1012 ? "SIGUSR2" : "SIGTERM");
      const closed = await Promise.all(closes);
      expect(new Set(closed.map(([each]) => each))).toEqual(new Set([code]));
      const instants = closed.map(([, at]) => at);
      expect(Math.max(...instants) - Math.min(...instants)).toBeGreaterThan(200);
      expect((await server.exited()).code).toBe(0);
      const logged = lines(server).filter(({ status }) => status === 101);
      expect(logged).toHaveLength(20);
      expect(logged.every(({ duration_ms: ms }) => Number(ms) > 0)).toBe(true);
    });
  }
});

describe("the access log's file", () => {
  const linesOf = (path: string): string[] => {
    try {
      return readFileSync(path, "utf8").split("\n").filter(Boolean);
    } catch {
      return [];
    }
  };

  test("in the combined form, in which nothing is forged, and opened anew when it was renamed", async () => {
    await using server = awkward("plain", { access_log: "./access.log", "access_log.format": "combined" });
    const base = await server.listening();
    const path = join(server.folder, "access.log");
    await fetch(`${base}/a"b`, { headers: { "user-agent": 'x" 200 1 "\\', referer: "http://elsewhere/" } });
    await until("the line", () => linesOf(path).length === 1);
    expect(linesOf(path)[0]).toMatch(
      /^127\.0\.0\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/a%22b HTTP\/1\.1" 200 12 "http:\/\/elsewhere\/" "x\\x22 200 1 \\x22\\x5C"$/,
    );
    renameSync(path, `${path}.1`);
    await until("a new file", () => linesOf(path).length >= 0 && readable(path));
    await fetch(`${base}/second`);
    await until("the second line", () => linesOf(path).some((line) => line.includes("/second")));
    expect(linesOf(`${path}.1`)).toHaveLength(1);
  });

  const readable = (path: string): boolean => {
    try {
      readFileSync(path);
      return true;
    } catch {
      return false;
    }
  };

  test("as JSON, excluded, sampled, and whole at the end", async () => {
    await using server = awkward("plain", {
      access_log: "./access.log",
      "access_log.exclude": "/static/**, 2xx",
      client_max_size: "1K",
    });
    const base = await server.listening();
    await fetch(`${base}/static/a/b.css`);
    await fetch(`${base}/fine`);
    await fetch(base, { method: "POST", body: "x".repeat(2000) });
    server.kill();
    expect((await server.exited()).code).toBe(0);
    const written = linesOf(join(server.folder, "access.log")).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(written).toHaveLength(1);
    expect(written[0]).toMatchObject({ status: 413, method: "POST", path: "/", http_version: "1.1", reason: "size" });
    expect(lines(server)).toHaveLength(1);
  });

  test("a share of the ordinary, all errors and what was slow", async () => {
    await using server = awkward("plain", { "access_log.sample": "0%", "access_log.slow": "200 milliseconds", client_max_size: "1K" });
    const base = await server.listening();
    for (let n = 0; n < 5; n++) await fetch(`${base}/fast`);
    await fetch(`${base}/after?ms=300&text=slow`);
    await fetch(base, { method: "POST", body: "x".repeat(2000) });
    await until("the lines", () => lines(server).length === 2);
    expect(lines(server).map(({ status }) => status)).toEqual([200, 413]);
  });

  test("a folder that is not there is exit code 2", async () => {
    await using server = awkward("plain", { access_log: "./nowhere/access.log" });
    expect((await server.exited()).code).toBe(2);
    expect(server.stderr()).toMatch(/access_log.*\n*.*nowhere/);
  });
});

test("connections that end are counted by why", async () => {
  const port = await freePort();
  await using server = awkward("plain", {
    "metrics.endpoint": `127.0.0.1:${port}`,
    max_keepalive_requests: "1",
    keepalive_jitter: "0%",
    drain_time: "30 seconds",
  });
  const base = await server.listening();
  await fetch(base);
  const leaves = await openRaw(base);
  leaves[Symbol.dispose]();
  using garbage = await openRaw(base);
  garbage.send("garbage\r\n\r\n");
  await garbage.closed();
  await until("the counts", async () => {
    const scraped = await scrape(port).catch(() => undefined);
    const count = (reason: string): number | undefined => scraped?.value(`http_server_connections_closed_total{reason="${reason}"}`);
    return count("requests") === 1 && count("client") === 1 && count("rejected") === 1;
  });
});
