import { load, lost, openRaw, until, type RawConnection } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { serve } from "./support/serve.ts";

const megabyte = 1024 * 1024;

/** How each kind of app that the server takes treats what its clients do wrong. */
const apps = { Fastify: "hello.js", "a request listener": "plain.js", "a fetch app": "fetch.js" } as const;

for (const [kind, app] of Object.entries(apps)) {
  describe(kind, () => {
    test("garbage gets a 400, and the connection is closed", async () => {
      await using server = serve({ app });
      using raw = await openRaw(await server.listening());
      raw.send("\x16\x03\x01 this is no HTTP\r\n\r\n");
      expect(await raw.closed()).toMatch(/^HTTP\/1\.1 400/);
    });

    test("a head that is too large gets a 431", async () => {
      await using server = serve({ app });
      using raw = await openRaw(await server.listening());
      raw.send(`GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: ${"x".repeat(20_000)}\r\n\r\n`);
      expect(await raw.closed()).toMatch(/^HTTP\/1\.1 431/);
    });

    test("a head that does not come to its end gets a 408 within header_timeout", async () => {
      await using server = serve({ app, server: { header_timeout: "300 milliseconds" } });
      using raw = await openRaw(await server.listening());
      raw.send("GET / HTTP/1.1\r\nHost: loc");
      expect(await raw.closed()).toMatch(/^HTTP\/1\.1 408/);
    });

    test("a body that does not come gets a 408 within request_timeout", async () => {
      await using server = serve({ app, server: { header_timeout: "100 milliseconds", request_timeout: "400 milliseconds" } });
      using raw = await openRaw(await server.listening());
      raw.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\nhalf");
      expect(await raw.closed()).toMatch(/^HTTP\/1\.1 408/);
    });

    test("a body that says it is too large gets a 413", async () => {
      await using server = serve({ app, server: { client_max_size: "1K" } });
      using raw = await openRaw(await server.listening());
      raw.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1025\r\n\r\n");
      await raw.receives(/^HTTP\/1\.1 413/);
    });

    test("a body that says nothing and grows too large gets a 413, which a client that is still sending can read", async () => {
      await using server = serve({ app, server: { client_max_size: "64K" } });
      const base = await server.listening();
      for (let round = 0; round < 5; round++) {
        using raw = await openRaw(base);
        await sendChunked(raw, 8 * megabyte);
        expect(raw.received()).toMatch(/^HTTP\/1\.1 413/);
      }
      expect((await fetch(`${base}/health`)).status).toBe(200);
    });
  });
}

/** Sends a body without a length, to its end unless the server hangs up. */
async function sendChunked(raw: RawConnection, bytes: number): Promise<void> {
  raw.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
  const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
  for (let sent = 0; sent < bytes && !raw.isClosed; sent += 65_536) {
    await new Promise((resolve) => raw.socket.write(chunk, resolve));
  }
  if (!raw.isClosed) raw.send("0\r\n\r\n");
  await raw.closed();
}

describe("max_concurrency", () => {
  test("more connections wait, unread, and are served when there is room", async () => {
    await using server = serve({ app: "slow.js", server: { max_concurrency: "2" } });
    const base = await server.listening();
    using first = await openRaw(base);
    using second = await openRaw(base);
    for (const [raw, name] of [
      [first, "a"],
      [second, "b"],
    ] as const) {
      raw.send(`GET /slow/${name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      await server.log(new RegExp(`^slow ${name} has begun`));
    }
    using third = await openRaw(base);
    third.send("GET /release HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await server.log(/^max_concurrency is reached/);
    expect(third.received()).toBe("");
    first.socket.destroy();
    await third.receives(/"released":true/);
    await second.closed();
  });

  test("an idle connection gives way", async () => {
    await using server = serve({ server: { max_concurrency: "1" } });
    const base = await server.listening();
    using idle = await openRaw(base);
    idle.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await idle.receives(/"hello"/);
    using next = await openRaw(base);
    next.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await next.receives(/"hello"/);
    await idle.closed();
  });

  test("a stop serves those that wait", async () => {
    await using server = serve({ app: "slow.js", server: { max_concurrency: "1" }, config: { release_on_stop: "true" } });
    const base = await server.listening();
    using first = await openRaw(base);
    first.send("GET /slow/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await server.log(/^slow a has begun/);
    using waits = await openRaw(base);
    waits.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await server.log(/^max_concurrency is reached/);
    server.kill();
    expect(await waits.closed()).toMatch(/^HTTP\/1\.1 200/);
    expect(await first.closed()).toMatch(/^HTTP\/1\.1 200/);
    expect((await server.exited()).code).toBe(0);
  });
});

describe("clients that do nothing", () => {
  test("2,000 silent connections harm nobody, and a stop does not wait for them", async () => {
    await using server = serve();
    const base = await server.listening();
    const silent = await Promise.all(Array.from({ length: 2000 }, () => openRaw(base)));
    const end = new AbortController();
    const running = load({
      port: Number(new URL(base).port),
      clients: 8,
      keepAlive: false,
      expect: '{"hello":"world"}',
      signal: end.signal,
    });
    await fetch(base);
    end.abort();
    const result = await running;
    expect([lost(result), result.failures]).toEqual([0, []]);
    server.kill();
    expect((await server.exited()).code).toBe(0);
    for (const raw of silent) raw[Symbol.dispose]();
  });

  test("a client that leaves in the middle of its request is logged, and nothing else happens", async () => {
    await using server = serve({ app: "slow.js" });
    const base = await server.listening();
    const raw = await openRaw(base);
    raw.send("GET /slow/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await server.log(/^slow a has begun/);
    raw[Symbol.dispose]();
    expect(await server.log(/^request aborted/)).toMatchObject({ route: "/slow/:name", aborted: true });
    await until("the server to answer", async () => (await fetch(base)).ok);
  });
});

describe("a body that stalls", () => {
  for (const [kind, app] of Object.entries(apps)) {
    test(`${kind}: does not hold a stop until its timeout`, async () => {
      await using server = serve({ app, server: { stop_timeout: "1 minute" } });
      using raw = await openRaw(await server.listening());
      raw.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\nhalf");
      server.kill();
      expect(await raw.closed()).toMatch(/^HTTP\/1\.1 408/);
      expect((await server.exited()).code).toBe(0);
    });
  }

  test("a body that keeps coming is taken to its end during a stop", async () => {
    await using server = serve({ app: "plain.js", server: { stop_timeout: "1 minute" } });
    using raw = await openRaw(await server.listening());
    raw.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30\r\n\r\n");
    server.kill();
    await server.log(/^stopping/);
    for (let sent = 0; sent < 30; sent += 3) {
      raw.send("abc");
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(await raw.closed()).toMatch(/^HTTP\/1\.1 200[^]*\{"bytes":30\}$/);
    expect((await server.exited()).code).toBe(0);
  });
});
