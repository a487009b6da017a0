import { constants } from "node:http2";
import { freePort, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { serveFleet, up } from "./support/fleet.ts";
import {
  ask,
  block,
  clientPreface,
  frame,
  getBlock,
  goaways,
  loadHttp2,
  openRawHttp2,
  openSession,
  type RawHttp2,
} from "./support/http2.ts";
import { endsWell, get, handledBy, kinds, rejections, serveHttp2, transports, uint32 } from "./support/http2-served.ts";
import { run } from "./support/run.ts";
import { scrape } from "./support/scrape.ts";
import { iniOf } from "./support/serve.ts";
import { tlsIni } from "./support/tls.ts";

describe.each(transports)("over %s", (transport, tls) => {
  describe.each(kinds)("%s", (kind) => {
    test("is asked with the right host and scheme, fails for one stream alone, streams both ways", async () => {
      await using server = serveHttp2(kind, tls);
      const url = await server.listening();
      const session = await openSession(url);
      const { host } = new URL(url.replace("127.0.0.1", "localhost"));
      const scheme = transport === "TLS" ? "https" : "http";
      const [first, failed, other] = await Promise.all([ask(session, "/"), ask(session, "/throw"), ask(session, "/?x=1")]);
      for (const answer of [first, other])
        expect([answer.status, JSON.parse(answer.body)]).toEqual([200, { version: "2.0", host, scheme, ip: "127.0.0.1" }]);
      expect(failed.status).toBe(500);
      const octets = { "content-type": "application/octet-stream" };
      const large = "x".repeat(300_000);
      expect((await ask(session, "/echo", { body: large, headers: octets })).body.length).toBe(large.length);
      // A part comes back before the next one is sent, where the app does not wait for the whole.
      if (kind !== "fastify") {
        let received = "";
        const parts = ["one,", "two,", "three"];
        const answer = ask(session, "/echo", {
          headers: { ":method": "POST", ...octets },
          onOpen: (stream) => {
            stream.write(parts.shift());
            stream.on("data", (chunk) => {
              received += String(chunk);
              const next = parts.shift();
              if (next === undefined) stream.end();
              else stream.write(next);
            });
          },
        });
        expect([(await answer).code, received]).toEqual([0, "one,two,three"]);
      }
      expect((await ask(session, "/", { headers: { ":method": "HEAD" } })).body).toBe("");
      await ask(session, "/echo", { body: "{}", headers: { "content-type": "application/json" } });
      session.close();
      server.kill();
      await endsWell(server);
      const lines = server.logs().filter(({ logger }) => logger === "tsserve.access");
      expect(lines.map(({ aborted }) => aborted)).toEqual(lines.map(() => undefined));
      expect(lines.map(({ method }) => method)).toContain("POST");
    });
  });

  test.each(["fastify", "plain", "fetch"])("%s: a stop under load answers every stream that it handles", async (kind) => {
    await using server = serveHttp2(kind, { ...tls, drain_time: "300 milliseconds", access_log: "false" });
    const url = await server.listening();
    const stop = new AbortController();
    const load = loadHttp2({ url, signal: stop.signal });
    await until("some requests", () => (handledBy(server).length > 200 ? true : undefined));
    server.kill();
    await endsWell(server);
    stop.abort();
    const { answered, failed } = await load;
    expect(failed).toEqual([]);
    expect(answered.toSorted()).toEqual(handledBy(server).toSorted());
  });

  test("workers are replaced under load, and no request is lost", async () => {
    const lines = ["http2 = true", "drain_time = 200 milliseconds", ...Object.entries(tls).map(([key, value]) => `${key} = ${value}`)];
    await using fleet = await serveFleet({ server: lines.join("\n") });
    await up(fleet, 2);
    const stop = new AbortController();
    const url = `${transport === "TLS" ? "https" : "http"}://127.0.0.1:${fleet.port}`;
    const load = loadHttp2({ url, signal: stop.signal, path: (id) => `/?id=${id}` });
    expect((await fleet.ctl("upgrade")).code).toBe(0);
    expect((await fleet.ctl("upgrade")).code).toBe(0);
    stop.abort();
    const { answered, failed } = await load;
    expect(failed).toEqual([]);
    expect(answered.length).toBeGreaterThan(100);
  });
});

/** The last streams of the GOAWAYs, each once: Node says the last one again when the session ends. */
function stepsOf(raw: RawHttp2): number[] {
  expect(goaways(raw).filter(({ code }) => code !== 0)).toEqual([]);
  return [...new Set(goaways(raw).map(({ last }) => last))];
}

describe("a session", () => {
  test("learns of the stop, is served on until drain_time is over, and new ones are, too", async () => {
    await using server = serveHttp2("plain", { drain_time: "1500 milliseconds" });
    const url = await server.listening();
    const raw = openRawHttp2(url);
    raw.send(clientPreface, frame("headers", 5, 1, getBlock));
    await until("an answer", () => raw.frames().find(({ type, stream }) => type === 1 && stream === 1));
    const fresh = await openSession(url);
    server.kill();
    await until("the first GOAWAY", () => (goaways(raw).length === 1 ? true : undefined));
    expect(goaways(raw)).toEqual([{ last: 2 ** 31 - 1, code: 0 }]);
    raw.send(frame("headers", 5, 3, getBlock));
    await until("another answer", () => raw.frames().find(({ type, stream }) => type === 1 && stream === 3));
    // It has not been told yet, and its first request is answered.
    expect((await ask(fresh, "/")).status).toBe(200);
    const late = await openSession(url);
    expect((await ask(late, "/")).status).toBe(200);
    await raw.closed();
    expect(stepsOf(raw)).toEqual([2 ** 31 - 1, 3]);
    await endsWell(server);
  });

  test("that comes too late is refused, and what was handled before is answered", async () => {
    await using server = serveHttp2("plain");
    const raw = openRawHttp2(await server.listening());
    raw.send(
      clientPreface,
      frame("headers", 5, 1, block({ ":method": "GET", ":scheme": "http", ":authority": "localhost", ":path": "/?id=one&ms=1500" })),
    );
    await until("it to be handled", () => (handledBy(server).includes("one") ? true : undefined));
    server.kill();
    await until("both", () => (stepsOf(raw).length === 2 ? true : undefined));
    raw.send(frame("headers", 5, 3, block({ ":method": "GET", ":scheme": "http", ":authority": "localhost", ":path": "/?id=two" })));
    await raw.closed();
    expect(stepsOf(raw)).toEqual([2 ** 31 - 1, 1]);
    expect(raw.frames().filter(({ type, flags, stream }) => type === 0 && flags === 1 && stream === 1)).toHaveLength(1);
    expect(handledBy(server)).toEqual(["one"]);
    await endsWell(server);
  });

  test("with streams beyond the deadline is cut: each is named, and the exit code says so", async () => {
    await using server = serveHttp2("plain", { stop_timeout: "700 milliseconds" });
    const session = await openSession(await server.listening());
    const both = Promise.all([ask(session, "/a?id=a&ms=60000"), ask(session, "/b?id=b&ms=60000")]);
    await until("them to be handled", () => (handledBy(server).length === 2 ? true : undefined));
    server.kill();
    expect(await server.exited()).toEqual({ code: 1, signal: null });
    expect((await both).map(({ status }) => status)).toEqual([undefined, undefined]);
    const text = server.stdout();
    for (const path of ["/a", "/b"]) expect(text).toMatch(new RegExp(`GET ${path}\\b`));
    expect(server.stderr()).toBe("");
  });

  test("with so many streams, or of such an age, or idle for so long, ends without a stream lost", async () => {
    const metrics = await freePort();
    await using server = serveHttp2("plain", {
      max_keepalive_requests: "10",
      keepalive_jitter: "0%",
      keepalive_timeout: "700 milliseconds",
      "metrics.endpoint": `127.0.0.1:${metrics}`,
    });
    const url = await server.listening();
    const stop = new AbortController();
    const load = loadHttp2({ url, signal: stop.signal, sessions: 2, streams: 4 });
    await until("many requests", () => (handledBy(server).length > 300 ? true : undefined));
    stop.abort();
    const { answered, failed } = await load;
    expect(failed).toEqual([]);
    expect(answered.length).toBe(handledBy(server).length);
    const idle = openRawHttp2(url);
    idle.send(clientPreface, frame("headers", 5, 1, getBlock));
    await idle.closed();
    expect(stepsOf(idle)).toEqual([2 ** 31 - 1, 1]);
    const figures = await until("the counters", async () => {
      const found = await scrape(metrics).catch(() => undefined);
      return found !== undefined && found.sum("http_server_connections_closed_total", 'reason="idle"') > 0 ? found : undefined;
    });
    expect(figures.sum("http_server_connections_closed_total", 'reason="requests"')).toBeGreaterThan(5);
    expect(figures.sum("http_server_requests_total", 'http_response_code="200"')).toBe(answered.length + 1);
  });
});

describe("limits", () => {
  test("are those of HTTP/1: body, head, requests in progress, time; each refusal is of one stream", async () => {
    const metrics = await freePort();
    await using server = serveHttp2("plain", {
      client_max_size: "1000",
      max_header_size: "2K",
      max_header_count: "20",
      max_active_requests: "2",
      request_timeout: "600 milliseconds",
      header_timeout: "500 milliseconds",
      server_header: "ours",
      "metrics.endpoint": `127.0.0.1:${metrics}`,
    });
    const session = await openSession(await server.listening());
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`x-${n}`, "1"]));
    const answers = [
      await ask(session, "/", { headers: { "x-large": "x".repeat(3000) } }),
      await ask(session, "/", { headers: many }),
      await ask(session, "/", { headers: { expect: "miracles" } }),
      await ask(session, "/", { headers: { ":authority": "localhost", host: "another.example" } }),
      await ask(session, "/echo", { body: "x".repeat(5000), headers: { "content-length": "5000" } }),
      await ask(session, "/echo", { body: "x".repeat(5000) }),
      await ask(session, "/upload", { headers: { ":method": "POST" }, onOpen: (stream) => stream.write("the rest does not come") }),
    ];
    expect(answers.slice(0, 4).map((each) => each?.status)).toEqual([431, 431, 417, 400]);
    expect(answers[4]?.status).toBe(413);
    expect(answers[6]?.status).toBe(408);
    for (const answer of [...answers.slice(0, 5), answers[6]]) {
      expect(JSON.parse(answer?.body ?? "")).toMatchObject({ statusCode: answer?.status });
      expect([answer?.headers["server"], answer?.headers["connection"]]).toEqual(["ours", undefined]);
    }
    const slow = [ask(session, "/?id=s1&ms=1000"), ask(session, "/?id=s2&ms=1000")];
    await until("two in progress", () => (handledBy(server).length === 2 ? true : undefined));
    const [third, health] = await Promise.all([ask(session, "/"), ask(session, "/health")]);
    expect([third.status, third.headers["retry-after"], health.status]).toEqual([503, "1", 200]);
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await ask(session, "/")).status).toBe(200);
    const figures = await until("the counters", async () => {
      const found = await scrape(metrics).catch(() => undefined);
      return found !== undefined && rejections(found)["overload"] === 1 ? found : undefined;
    });
    expect(rejections(figures)).toMatchObject({ header: 3, size: 1, timeout: 1, overload: 1, parse: 1 });
    session.close();
    server.kill();
    await endsWell(server);
  });

  test("Expect: 100-continue is answered when the app begins to read", async () => {
    await using server = serveHttp2("plain");
    const session = await openSession(await server.listening());
    const answer = await ask(session, "/upload", {
      headers: { ":method": "POST", expect: "100-continue" },
      onOpen: (stream) => stream.once("continue", () => stream.end("body")),
    });
    expect([answer.status, answer.body]).toEqual([200, "whole"]);
  });

  test("early hints and trailers pass", async () => {
    await using server = serveHttp2("plain");
    const session = await openSession(await server.listening());
    const answer = await ask(session, "/trailers");
    expect(answer).toMatchObject({ status: 200, body: "body", trailers: { "x-sum": "4" } });
    expect(answer.interim).toMatchObject([{ ":status": 103, link: "</style.css>; rel=preload" }]);
  });

  test("what HTTP/1 knows alone is left out, for a client that is there and one that has gone", async () => {
    await using server = serveHttp2("plain");
    const session = await openSession(await server.listening());
    const answer = await ask(session, "/late");
    expect([answer.status, answer.body, answer.headers["x-twice"], answer.headers["keep-alive"]]).toEqual([200, "late", "1, 2", undefined]);
    const gone = ask(session, "/late?id=gone&ms=300", {
      onOpen: (stream) => stream.end(() => setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), 100)),
    });
    await gone;
    const other = await openSession(await server.listening());
    void ask(other, "/late?id=torn&ms=300");
    await until("it to be handled", () => (handledBy(server).includes("torn") ? true : undefined));
    other.destroy();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await ask(session, "/")).status).toBe(200);
    session.close();
    server.kill();
    await endsWell(server);
  });

  test("an answer that fails in the middle does not look whole", async () => {
    await using server = serveHttp2("plain");
    const session = await openSession(await server.listening());
    const answer = await ask(session, "/broken");
    expect([answer.status, answer.body, answer.code]).toEqual([200, "half of", constants.NGHTTP2_INTERNAL_ERROR]);
  });

  test.each(["plain", "fetch"])("%s: a body that ends too soon fails, and is not taken for whole", async (kind) => {
    await using server = serveHttp2(kind);
    const raw = openRawHttp2(await server.listening());
    const head = { ":method": "POST", ":scheme": "http", ":authority": "localhost", ":path": "/upload" };
    raw.send(clientPreface, frame("headers", 4, 1, block(head)), frame("data", 0, 1, "a part"));
    await new Promise((resolve) => setTimeout(resolve, 300));
    raw.send(frame("reset", 0, 1, uint32(constants.NGHTTP2_CANCEL)));
    await server.log(/^upload failed/);
    const torn = await openSession(await server.listening());
    void ask(torn, "/upload", {
      headers: { ":method": "POST", "x-wait": "1" },
      onOpen: (stream) => stream.write("a part", () => setTimeout(() => torn.destroy(), 100)),
    });
    await until("both to fail", () => (server.logs().filter(({ msg }) => msg === "upload failed").length === 2 ? true : undefined));
    expect(server.logs().filter(({ msg }) => msg === "upload ended")).toEqual([]);
  });

  test("a body that nobody reads, or a slow one, holds up no other stream", async () => {
    await using server = serveHttp2("plain");
    const session = await openSession(await server.listening());
    const unread = await ask(session, "/unread", { body: "x".repeat(200_000), atEnd: true });
    expect([unread.status, unread.body]).toEqual([200, "not read"]);
    const held = Array.from({ length: 5 }, (_, n) =>
      ask(session, `/?id=h${n}&ms=1500`, { headers: { ":method": "POST" }, onOpen: (stream) => stream.write("x".repeat(100_000)) }),
    );
    await until("them to be handled", () => (handledBy(server).length === 5 ? true : undefined));
    expect((await ask(session, "/echo", { body: "x".repeat(200_000) })).body.length).toBe(200_000);
    await Promise.all(held);
  });
});

describe("in front of it", () => {
  test.each(transports)("a balancer's PROXY header is read before either protocol, over %s", async (transport, tls) => {
    await using server = serveHttp2("plain", { ...tls, proxy_protocol: "v1", real_ip_from: "loopback" });
    const url = await server.listening();
    if (transport === "h2c") {
      const raw = openRawHttp2(url);
      raw.send("PROXY TCP4 203.0.113.7 127.0.0.1 4711 80\r\n", clientPreface, get(1));
      await until("an answer", () => raw.frames().find(({ type, stream }) => type === 0 && stream === 1));
      raw.socket.destroy();
    } else {
      const port = new URL(url).port;
      const curl = ["--haproxy-protocol", "--http2", "--cacert", certificatePath(), "-s", `https://localhost:${port}/`];
      await runCurl(curl);
    }
    const line = await server.log(/^request completed/);
    expect(line).toMatchObject({ http_version: "2.0", client: transport === "h2c" ? "203.0.113.7" : "127.0.0.1" });
  });

  test("curl speaks what it is told to, by ALPN and with prior knowledge", async () => {
    await using secure = serveHttp2("plain", tlsIni);
    await using plain = serveHttp2("plain");
    const port = new URL(await secure.listening()).port;
    const url = await plain.listening();
    const version = ["-s", "-o", "/dev/null", "-w", "%{http_version} %{response_code}"];
    const ca = ["--cacert", certificatePath()];
    expect(await runCurl([...version, ...ca, `https://localhost:${port}/`])).toBe("2 200");
    expect(await runCurl([...version, ...ca, "--http1.1", `https://localhost:${port}/`])).toBe("1.1 200");
    expect(await runCurl([...version, "--http2-prior-knowledge", url])).toBe("2 200");
    // `Upgrade: h2c` is none (RFC 9113): the request is answered as it is.
    expect(await runCurl([...version, "--http2", url])).toBe("1.1 200");
  });
});

test.each([
  ["an http.Server that Express listens to", { kind: "express-server" }, { http2: "true" }, 3, /Express app, which can't speak HTTP\/2/],
  ["a number that is none", {}, { http2: "true", "http2.max_streams": "none" }, 2, /http2\.max_streams: expected/],
  ["a key that is none", {}, { "http2.max_stream": "5" }, 2, /did you mean "http2\.max_streams"/],
  ["neither true nor false", {}, { http2: "h2c" }, 2, /\[server:main\] http2: expected/],
])("%s ends the start", async (_what, config, server, expected, message) => {
  const ini = iniOf({ app: "http2.js", config, server: { ...server, "metrics.enabled": "false" } });
  const { code, stderr } = await run({ "app.ini": ini }, ["app.ini", "--bind", "127.0.0.1:0"]);
  expect(stderr).toMatch(message);
  expect(code).toBe(expected);
});

function certificatePath(): string {
  return new URL("fixtures/tls/ca.pem", import.meta.url).pathname;
}

async function runCurl(args: readonly string[]): Promise<string> {
  const { execFile } = await import("node:child_process");
  const { promisify } = await import("node:util");
  const { stdout } = await promisify(execFile)("curl", ["--max-time", "10", ...args]);
  return stdout;
}
