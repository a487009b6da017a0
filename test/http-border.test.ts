import { once } from "node:events";
import { freePort, openRaw, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { scrape } from "./support/scrape.ts";
import { serve, type Served, type ServeOptions } from "./support/serve.ts";

const kinds = ["plain", "express", "fastify", "fetch"] as const;

function awkward(kind: string, options: ServeOptions = {}): Served {
  return serve({ app: "awkward.js", config: { kind }, ...options });
}

const get = (target: string, more = ""): string => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
const chunked = (target: string, bytes: number): string =>
  `POST ${target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n${bytes.toString(16)}\r\n${"x".repeat(bytes)}\r\n0\r\n\r\n`;

describe("after an answer of the server's, whatever the app says goes nowhere", () => {
  const uses = ["write", "end", "write and end", "setHeader", "writeHead", "flushHeaders", "writeContinue", "pipe", "json"];
  for (const kind of ["plain", "express"] as const) {
    test(kind, async () => {
      await using server = awkward(kind, { server: { client_max_size: "10K" } });
      const base = await server.listening();
      for (const use of uses) {
        using raw = await openRaw(base);
        raw.send(chunked(`/late?use=${encodeURIComponent(use)}`, 16_000));
        await server.log(new RegExp(`^used late: ${use}$`));
        expect((await raw.closed()).match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 413"]);
      }
      expect((await fetch(`${base}/after?ms=0&text=alive`)).status).toBe(200);
      server.kill();
      expect((await server.exited()).code).toBe(0);
      expect(server.logs().filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
    });
  }
});

describe("a fault of a handler's is the end of no more than its own request", () => {
  test.each(["plain", "express"])("%s", async (kind) => {
    await using server = serve({ app: "faulty.js", config: { kind } });
    const base = await server.listening();
    const faults = (await (await fetch(`${base}/faults`)).json()) as string[];
    for (const name of faults) {
      using raw = await openRaw(base);
      raw.socket.end(get(`/${name}`));
      const [status] = (await raw.closed()).match(/(?<=^HTTP\/1\.1 )\d+/) ?? [];
      // Its answer had ended, or it is a 500, or there is none to be had; for Express, to throw nothing is to have no answer.
      expect([name, ["200", "404", "500", undefined].includes(status)]).toEqual([name, true]);
      const next = await fetch(`${base}/ok`).then((response) => response.text(), String);
      expect([name, next, server.logs().filter(({ level }) => level === "fatal")]).toEqual([name, "ok", []]);
    }
    server.kill();
    expect((await server.exited()).code).toBe(0);
  });
});

describe("a client that half-closes gets its answer", () => {
  for (const kind of kinds) {
    test(kind, async () => {
      await using server = awkward(kind);
      using raw = await openRaw(await server.listening());
      raw.socket.end(get("/after?ms=300&text=here-it-is"));
      expect(await raw.closed()).toMatch(/^HTTP\/1\.1 200[^]*here-it-is/);
    });
  }

  test("in a stop, too, and pipelined", async () => {
    await using server = awkward("plain");
    using raw = await openRaw(await server.listening());
    raw.socket.end(get("/after?ms=400&text=first") + get("/after?ms=300&text=second"));
    for (const begun of [/^waits: first/, /^waits: second/]) await server.log(begun);
    server.kill();
    expect(await raw.closed()).toMatch(/first[^]*second/);
    expect((await server.exited()).code).toBe(0);
  });
});

test("a client that has gone, and not half-closed, is noticed while the app keeps silent", async () => {
  await using server = awkward("plain");
  const raw = await openRaw(await server.listening());
  raw.send(get("/after?ms=60000&text=never"));
  await server.log(/^waits: never/);
  raw[Symbol.dispose]();
  await server.log(/^request aborted/);
});

describe("work that does not begin with a request", () => {
  test("a tunnel that is being decided is in progress in a stop, and nothing of ours is written into it", async () => {
    await using server = awkward("fastify");
    using raw = await openRaw(await server.listening());
    raw.send("CONNECT example.org:600 HTTP/1.1\r\nHost: example.org:600\r\n\r\n");
    await server.log(/^a tunnel is asked for/);
    server.kill();
    await raw.receives(/through the tunnel$/);
    raw.send("bye");
    expect(await raw.closed()).toBe("HTTP/1.1 200 Connection established\r\n\r\nthrough the tunnelgoodbye");
    expect((await server.exited()).code).toBe(0);
  });

  test("an Expect that is being decided is in progress in a stop", async () => {
    await using server = awkward("fastify");
    using raw = await openRaw(await server.listening());
    raw.send("POST /decide HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n");
    await server.log(/^deciding on a body/);
    server.kill();
    expect(await raw.closed()).toMatch(/^HTTP\/1\.1 403[^]*connection: close[^]*no body, please/i);
    expect((await server.exited()).code).toBe(0);
  });

  test("an upgrade before its 101 is in progress in a stop, and is told to go when it is done", async () => {
    await using server = awkward("fastify");
    const socket = new WebSocket(`${(await server.listening()).replace("http", "ws")}/slow`);
    await server.log(/^deciding on an upgrade/);
    server.kill();
    await once(socket, "open");
    const [code] = (await once(socket, "close")) as [number];
    expect(code).toBe(1001);
    expect((await server.exited()).code).toBe(0);
  });

  test("what a listener of upgrades throws, or a client that resets meanwhile, ends no more than that connection", async () => {
    await using server = awkward("fastify");
    const base = await server.listening();
    const upgrade = (path: string): string => get(path, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    using throwing = await openRaw(base);
    throwing.send(upgrade("/throws"));
    await throwing.closed();
    using resets = await openRaw(base);
    resets.send(upgrade("/slow"));
    await server.log(/^deciding on an upgrade/);
    resets.socket.resetAndDestroy();
    await server.log(/^decided on an upgrade/);
    expect((await fetch(`${base}/x`)).status).toBe(200);
    expect(server.logs().filter(({ level }) => level === "fatal")).toEqual([]);
  });

  test("an Upgrade that is none is a plain request where WebSockets are served", async () => {
    await using server = awkward("fastify");
    using raw = await openRaw(await server.listening());
    raw.send(get("/java", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"));
    await raw.receives(/^HTTP\/1\.1 200[^]*hello \/java/);
    raw.send(get("/again"));
    await raw.receives(/hello \/again/);
  });

  test("a CONNECT that nobody takes is answered", async () => {
    await using server = awkward("plain");
    using raw = await openRaw(await server.listening());
    raw.send("CONNECT example.org:1 HTTP/1.1\r\nHost: example.org:1\r\n\r\n");
    expect(await raw.closed()).toMatch(/^HTTP\/1\.1 501/);
  });
});

describe("100 Continue is said when the app reads", () => {
  test("not for a body that is too large", async () => {
    await using server = awkward("plain", { server: { client_max_size: "1K" } });
    using raw = await openRaw(await server.listening());
    raw.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n");
    expect(await raw.closed()).toMatch(/^HTTP\/1\.1 413/);
    expect(await server.log(/^request rejected/)).toMatchObject({ status: 413, setting: "client_max_size = 1K" });
  });

  for (const kind of ["plain", "express", "fetch"] as const) {
    test(`${kind}: for one that is read`, async () => {
      await using server = serve({ app: kind === "express" ? "awkward.js" : `${kind}.js`, config: { kind } });
      using raw = await openRaw(await server.listening());
      raw.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
      if (kind !== "express") await raw.receives(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
      raw.send("12345");
      await raw.receives(/HTTP\/1\.1 200/);
    });
  }
});

test("100 Continue in a pipeline comes in its turn, and never into an answer", async () => {
  await using server = serve({ app: "fetch.js" });
  using raw = await openRaw(await server.listening());
  const post = (more: string): string => `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n${more}\r\n12345`;
  raw.send(Array.from({ length: 8 }, () => post("Expect: 100-continue\r\n")).join(""));
  await until("all answers", () => (raw.received().match(/5 bytes/g) ?? []).length === 8);
  const texts = raw.received().split("HTTP/1.1 100 Continue\r\n\r\n").join("");
  expect(
    texts
      .split("5 bytes")
      .slice(0, 8)
      .every((head) => /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n$/.test(head)),
  ).toBe(true);
  expect(raw.received()).not.toMatch(/content-length: 7[^]{0,80}?\r\n\r\nHTTP\/1\.1 100/i);
});

describe("a body that was begun and not read to its end does not block the connection", () => {
  for (const kind of kinds) {
    test(kind, async () => {
      await using server = awkward(kind, { server: { client_max_size: "10M" } });
      using raw = await openRaw(await server.listening());
      raw.send(`POST /refuse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 800000\r\n\r\n${"x".repeat(800_000)}`);
      // What is pipelined behind it is answered, or the connection is closed: at once, and not by a timeout.
      raw.send(get("/next"));
      const ended = await until("the end of it", () => raw.isClosed || /hello \/next/.test(raw.received()));
      expect(ended).toBe(true);
      expect(raw.received()).toMatch(/^HTTP\/1\.1 401/);
    });
  }
});

describe("what RFC 9112 wants refused", () => {
  const bad: Readonly<Record<string, string>> = {
    "two Host lines": "GET /bad HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "two Host lines in HTTP/1.0": "GET /bad HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n",
    "no Host": "GET /bad HTTP/1.1\r\nX-Host: a\r\n\r\n",
    "no Host in a CONNECT": "CONNECT a:1 HTTP/1.1\r\n\r\n",
    "no Host in an upgrade": "GET /bad HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "a path in Host": "GET /bad HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a user in Host": "GET /bad HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "a list in Host": "GET /bad HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "a blank in Host": "GET /bad HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a port that is none": "GET /bad HTTP/1.1\r\nHost: a:b\r\n\r\n",
    "a port that is too large": "GET /bad HTTP/1.1\r\nHost: a:70000\r\n\r\n",
    "no ASCII in Host": "GET /bad HTTP/1.1\r\nHost: \xe9\r\n\r\n",
    "Transfer-Encoding in HTTP/1.0":
      "POST /bad HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/2.0": "GET /bad HTTP/2.0\r\nHost: a\r\n\r\n",
    "HTTP/0.9 with a head": "GET /bad HTTP/0.9\r\nHost: a\r\n\r\n",
  };
  for (const kind of kinds) {
    test(kind, async () => {
      await using server = awkward(kind);
      const base = await server.listening();
      for (const [what, text] of Object.entries(bad)) {
        using raw = await openRaw(base);
        raw.socket.write(Buffer.from(text + get("/behind"), "latin1"));
        const answers = (await raw.closed()).match(/^HTTP\/1\.1 \d+/gm);
        expect([what, answers]).toEqual([what, ["HTTP/1.1 400"]]);
      }
      for (const host of ["", "a", "a:80", "[::1]:80", "a_b.example", "xn--e1afmkfd", "a:", "*.x"]) {
        using raw = await openRaw(base);
        raw.send(`GET /good HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
        expect([host, await raw.closed()]).toEqual([host, expect.stringMatching(/^HTTP\/1\.1 200[^]*hello \/good/)]);
      }
      expect(server.logs().some(({ path }) => path === "/behind")).toBe(false);
    });
  }
});

test("what never reaches the app has its line in the access log and its count", async () => {
  const port = await freePort();
  await using server = awkward("plain", {
    server: {
      "metrics.endpoint": `127.0.0.1:${port}`,
      client_max_size: "1K",
      header_timeout: "400 milliseconds",
      request_timeout: "800 milliseconds",
    },
  });
  const base = await server.listening();
  const cases: readonly (readonly [status: number, reason: string, text: string])[] = [
    [400, "parse", "garbage\r\n\r\n"],
    [400, "parse", "GET / HTTP/1.1\r\n\r\n"],
    [408, "timeout", "GET / HTTP/1.1\r\nHos"],
    [408, "timeout", "POST /after?ms=60000 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"],
    [413, "size", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n"],
    [417, "header", get("/", "Expect: miracles\r\n")],
    [431, "header", get("/", `X-Large: ${"x".repeat(20_000)}\r\n`)],
    [431, "header", get("/", "X: y\r\n".repeat(101))],
    [431, "header", get("/", "X: y\r\n".repeat(2500))],
  ];
  for (const [status, , text] of cases) {
    using raw = await openRaw(base);
    raw.send(text);
    expect(await raw.closed()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*connection: close`, "i"));
  }
  await until("a line for each", () => server.logs().filter(({ msg }) => msg === "request rejected").length === cases.length);
  const logged = server.logs().filter(({ msg }) => msg === "request rejected");
  expect(logged.map(({ status, reason }) => [status, reason])).toEqual(cases.map(([status, reason]) => [status, reason]));
  expect(logged.every(({ client }) => client === "127.0.0.1")).toBe(true);
  await until("the counts", async () => {
    const scraped = await scrape(port).catch(() => undefined);
    const count = (reason: string): number | undefined => scraped?.value(`http_server_rejected_requests_total{reason="${reason}"}`);
    return count("parse") === 2 && count("timeout") === 2 && count("size") === 1 && count("header") === 4;
  });
});

test("a body that stalls after the answer gets no second one", async () => {
  await using server = awkward("plain", { server: { header_timeout: "200 milliseconds", request_timeout: "400 milliseconds" } });
  using raw = await openRaw(await server.listening());
  raw.send("POST /early HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf");
  expect((await raw.closed()).match(/^HTTP\/1\.1/gm)).toHaveLength(1);
});

describe("nobody is told that a request did not come in time who has asked for nothing", () => {
  const ways = {
    "while its answer leaves": { path: "/first-bytes", first: /had 12345\n/, last: /then 67890\n/ },
    "after its answer": { path: "/", first: /\{\}/, last: undefined },
  };
  const times = { "in the drain": "1 second", "after the listener has closed": "1 millisecond" };
  for (const [way, { path, first, last }] of Object.entries(ways)) {
    for (const [when, drainTime] of Object.entries(times)) {
      test(`in a stop: a body that comes to its end ${way}, ${when}`, async () => {
        await using server = serve({ app: "streams.js", server: { drain_time: drainTime } });
        const url = await server.listening();
        using raw = await openRaw(url);
        raw.send(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345`);
        await raw.receives(first);
        server.kill();
        await server.log(/draining for/);
        if (drainTime === times["after the listener has closed"]) {
          await until("the listener to close", () =>
            fetch(url).then(
              () => false,
              () => true,
            ),
          );
        }
        raw.send("67890");
        if (last !== undefined) await raw.receives(last);
        expect((await raw.closed()).match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200"]);
        expect((await server.exited()).code).toBe(0);
      });
    }
  }

  test("on a connection whose late request has come and been answered", async () => {
    await using server = awkward("plain", { server: { header_timeout: "1 second", request_timeout: "1 second" } });
    const url = await server.listening();
    using raw = await openRaw(url);
    raw.send("POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    // The rest comes while the loop is busy: when it is not any more, the limit is found to be over before the socket is read.
    using busy = await openRaw(url);
    busy.send(get("/block?ms=2000"));
    await server.log(/^blocking/);
    raw.send("67890");
    await raw.receives(/taken/);
    // Who begins a request only now, and does not go on, is told so later than anybody who began before.
    using late = await openRaw(url);
    late.send("GET / HT");
    expect(await late.closed()).toMatch(/^HTTP\/1\.1 408/);
    raw.send(get("/", "Connection: close\r\n"));
    expect((await raw.closed()).match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200"]);
  });
});

test("garbage behind requests in progress is answered after them", async () => {
  await using server = awkward("plain");
  using raw = await openRaw(await server.listening());
  raw.send(`${get("/after?ms=200&text=first")}${get("/after?ms=100&text=second")}garbage\r\n\r\n`);
  expect(await raw.closed()).toMatch(/^HTTP\/1\.1 200[^]*first[^]*HTTP\/1\.1 200[^]*secondHTTP\/1\.1 400/);
});

test("a request that lay unread while the loop was busy at the end of the drain is answered", async () => {
  await using server = awkward("plain", { server: { drain_time: "1 second" } });
  const base = await server.listening();
  using quiet = await openRaw(base);
  quiet.send(get("/first"));
  await quiet.receives(/hello \/first/);
  using blocks = await openRaw(base);
  server.kill();
  await server.log(/draining/);
  blocks.send(get("/block?ms=2500"));
  await server.log(/^blocking/);
  quiet.send(get("/unread"));
  expect(await quiet.closed()).toMatch(/hello \/unread/);
  expect((await server.exited()).code).toBe(0);
});

for (const kind of ["fastify", "fastify by hand"]) {
  test(`${kind}: preClose hooks run when the stop begins, onClose when all is over`, async () => {
    await using server = serve({ app: "fastify-closing.js", config: { kind } });
    using raw = await openRaw(await server.listening());
    raw.send(get("/events"));
    await raw.receives(/data: hello/);
    server.kill();
    expect(await raw.closed()).toMatch(/data: goodbye/);
    expect((await server.exited()).code).toBe(0);
    const order = ["preClose with a callback", "the stream has ended", "preClose of the plugin", "onClose"];
    expect(server.logs().flatMap(({ msg }) => (order.includes(msg) ? [msg] : []))).toEqual(order);
  });
}
