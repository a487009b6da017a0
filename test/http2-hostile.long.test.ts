import { freePort, openRaw, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { ask, block, clientPreface, frame, getBlock, openRawHttp2, openSession, type RawHttp2 } from "./support/http2.ts";
import { endsWell, get, rejections, serveHttp2, uint32 } from "./support/http2-served.ts";
import { scrape } from "./support/scrape.ts";

const ping = frame("ping", 0, 0, Buffer.alloc(8));
const slowGet = (stream: number): Buffer =>
  frame("headers", 5, stream, block({ ":method": "GET", ":scheme": "http", ":authority": "localhost", ":path": "/?ms=30000" }));
const odd = (n: number): number => 2 * n + 1;
const times = (count: number, make: (n: number) => Buffer): Buffer => Buffer.concat(Array.from({ length: count }, (_, n) => make(n)));

/**
 * What a hostile client sends after its preface, and what is counted of it. Of some, nghttp2 says GOAWAY by itself, and Node does not
 * tell.
 */
/** What nghttp2 refuses by itself: Node 20 tells nobody, and leaves the connection to its timeout. */
const ofNghttp2 = Number(process.versions.node.split(".")[0]) >= 22 ? "parse" : undefined;

const attacks: readonly [string, () => Buffer, string | undefined][] = [
  [
    "streams opened and reset",
    () => times(20_000, (n) => Buffer.concat([slowGet(odd(n)), frame("reset", 0, odd(n), uint32(8))])),
    "overload",
  ],
  [
    "streams that it has the server reset",
    () => times(20_000, (n) => Buffer.concat([slowGet(odd(n)), frame("window", 0, odd(n), uint32(0))])),
    undefined,
  ],
  ["pings", () => times(50_000, () => ping), undefined],
  ["settings", () => times(20_000, () => frame("settings", 0, 0, "")), undefined],
  ["more streams than may be", () => times(5000, (n) => slowGet(odd(n))), undefined],
  [
    "CONTINUATION without end",
    () =>
      Buffer.concat([frame("headers", 1, 1, getBlock), times(5000, () => frame("continuation", 0, 1, block({ "x-a": "b".repeat(1000) })))]),
    "parse",
  ],
  [
    "CONTINUATION without a byte",
    () => Buffer.concat([frame("headers", 1, 1, getBlock), times(20_000, () => frame("continuation", 0, 1, ""))]),
    "parse",
  ],
  ["DATA without a byte", () => Buffer.concat([frame("headers", 4, 1, getBlock), times(50_000, () => frame("data", 0, 1, ""))]), undefined],
  [
    "a head that unfolds to megabytes",
    () =>
      Buffer.concat([
        frame(
          "headers",
          5,
          1,
          Buffer.concat([getBlock, Buffer.from([0x40]), block({ "x-bomb": "x".repeat(3900) }).subarray(1), Buffer.alloc(12_000, 0xbe)]),
        ),
      ]),
    undefined,
  ],
  ["a frame that is too long", () => Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]), Buffer.alloc(70_000)]), ofNghttp2],
  ["a header block that is none", () => frame("headers", 5, 1, Buffer.from([0x80])), ofNghttp2],
  ["HEADERS on an even stream", () => frame("headers", 5, 2, getBlock), "parse"],
  ["DATA on no stream", () => frame("data", 0, 0, "x"), ofNghttp2],
  ["a window beyond all bounds", () => times(3, () => frame("window", 0, 0, uint32(2 ** 31 - 1))), "parse"],
  ["a settings frame of a wrong size", () => frame("settings", 0, 0, "abc"), ofNghttp2],
  [
    "names in upper case",
    () => frame("headers", 5, 1, block({ ":method": "GET", ":scheme": "http", ":authority": "localhost", ":path": "/", "X-A": "1" })),
    undefined,
  ],
  [
    "a header of the connection",
    () =>
      frame("headers", 5, 1, block({ ":method": "GET", ":scheme": "http", ":authority": "localhost", ":path": "/", connection: "close" })),
    undefined,
  ],
  ["no path", () => frame("headers", 5, 1, block({ ":method": "GET", ":scheme": "http", ":authority": "localhost" })), undefined],
  ["its own GOAWAY with an error", () => frame("goaway", 0, 0, Buffer.concat([uint32(0), uint32(2)])), undefined],
  ["noise", () => Buffer.from(Array.from({ length: 5000 }, (_, n) => (n * 7919) % 251)), ofNghttp2],
];

describe("a hostile client", () => {
  test("is ended or refused, counted, and nobody else notices", async () => {
    const metrics = await freePort();
    await using server = serveHttp2("plain", { access_log: "false", "metrics.endpoint": `127.0.0.1:${metrics}` }, ["--debug"]);
    const url = await server.listening();
    const honest = await openSession(url);
    await until("the exporter", () => scrape(metrics).catch(() => undefined));
    const notCounted: string[] = [];
    for (const [what, make, reason] of attacks) {
      const before = reason === undefined ? 0 : (rejections(await scrape(metrics))[reason] ?? 0);
      const raw = openRawHttp2(url);
      raw.send(clientPreface, make());
      const own = ask(honest, "/");
      // Either the connection ends, or the stream is answered or reset, or what came had no consequences.
      await reacts(raw);
      expect([what, (await own).status]).toEqual([what, 200]);
      raw.socket.destroy();
      if (reason !== undefined) {
        const isCounted = await until(
          "it to be counted",
          async () => ((rejections(await scrape(metrics))[reason] ?? 0) > before ? true : undefined),
          { timeoutMs: 3000 },
        ).catch(() => false);
        if (!isCounted) notCounted.push(what);
      }
    }
    expect(notCounted).toEqual([]);
    // None of them left anything behind.
    await until("all to be over", async () => ((await scrape(metrics)).sum("runtime_active_requests") === 0 ? true : undefined));
    expect((await ask(honest, "/")).status).toBe(200);
    honest.close();
    server.kill();
    await endsWell(server);
    expect(
      server.logs().filter(({ msg }) => msg.startsWith("ended a session of HTTP/2: its client sends too many streams reset")).length,
    ).toBeGreaterThan(0);
    expect(server.logs().filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
  });

  test("that sends half a preface gets a 408, one that sends nothing is closed; HTTP/1 in any pieces is served", async () => {
    const metrics = await freePort();
    await using server = serveHttp2("plain", { header_timeout: "600 milliseconds", "metrics.endpoint": `127.0.0.1:${metrics}` });
    const url = await server.listening();
    const half = await openRaw(url);
    half.send("PRI * HTTP/2.0\r\n");
    const silent = await openRaw(url);
    expect(await half.closed()).toMatch(/^HTTP\/1\.1 408 /);
    expect(await silent.closed()).toBe("");
    const text = "PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab";
    for (const at of [1, 2, 3, 10]) {
      using raw = await openRaw(url);
      raw.send(text.slice(0, at));
      await new Promise((resolve) => setTimeout(resolve, 20));
      raw.send(text.slice(at));
      expect(await raw.closed()).toMatch(/^HTTP\/1\.1 200 /);
    }
    for (const at of [1, 4, 16, 23]) {
      const raw = openRawHttp2(url);
      const all = Buffer.concat([clientPreface, get(1)]);
      raw.send(all.subarray(0, at));
      await new Promise((resolve) => setTimeout(resolve, 20));
      raw.send(all.subarray(at));
      await until("an answer", () => raw.frames().find(({ type, stream }) => type === 1 && stream === 1));
      raw.socket.destroy();
    }
    // A client that ends its side after its request has its answer all the same.
    const ended = openRawHttp2(url);
    ended.send(
      clientPreface,
      frame("headers", 5, 1, block({ ":method": "GET", ":scheme": "http", ":authority": "localhost", ":path": "/?ms=300" })),
    );
    ended.socket.end();
    await until("its answer", () => ended.frames().find(({ type, flags, stream }) => type === 0 && flags === 1 && stream === 1));
    const mixed = await openRaw(url);
    mixed.send("PRI * HTTP/2.0\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    expect(await mixed.closed()).toMatch(/^HTTP\/1\.1 400 /);
    expect(rejections(await scrape(metrics))).toMatchObject({ timeout: 1 });
  });
});

/** What nghttp2 ends a session for by itself: before version 22, Node tells nobody, and neither reads nor writes any more. */
const ending: Readonly<Record<string, () => Buffer>> = {
  "a frame of a wrong size": () => frame("priority", 0, 3, Buffer.alloc(4)),
  "a block that can't be read": () => frame("headers", 5, 3, Buffer.alloc(6, 0xff)),
  "DATA of no stream": () => frame("data", 0, 0, "x"),
  "SETTINGS of a wrong size": () => frame("settings", 0, 0, Buffer.alloc(5)),
  "a frame that is too long": () => frame("headers", 5, 3, Buffer.alloc(20_000)),
};
/** What is in progress meanwhile. */
const begun: Readonly<Record<string, () => Buffer>> = {
  nothing: () => Buffer.alloc(0),
  "a body that does not come": () =>
    frame("headers", 4, 1, block({ ":method": "POST", ":scheme": "http", ":authority": "localhost", ":path": "/" })),
  "an answer that is due": () => slowGet(1),
};

test("a session that nghttp2 has ended is closed, whatever is in progress on it, whether its client has gone or not", async () => {
  const second = { header_timeout: "1 second", request_timeout: "1 second", keepalive_timeout: "1 second" };
  await using server = serveHttp2("plain", second);
  const url = await server.listening();
  const clients: RawHttp2[] = [];
  for (const make of Object.values(begun))
    for (const end of Object.values(ending)) {
      for (const leaves of [false, true]) {
        const client = openRawHttp2(url);
        clients.push(client);
        client.send(clientPreface, make(), end());
        // It says that it sends no more, which is not read either.
        if (leaves) client.socket.end();
      }
    }
  const isClosed = clients.map((client) => new Promise<void>((resolve) => client.socket.once("close", () => resolve())));
  await Promise.all(isClosed);
  const honest = await openSession(url);
  expect((await ask(honest, "/")).status).toBe(200);
  honest.close();
  server.kill();
  await endsWell(server);
  expect(server.logs().filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
});

/** The connection was closed, a stream was reset or answered, or a ping behind it all came back. */
async function reacts(raw: RawHttp2): Promise<void> {
  let isOver = false;
  raw.socket.once("close", () => (isOver = true));
  raw.socket.once("end", () => (isOver = true));
  const mark = Buffer.from("the end!");
  raw.send(frame("ping", 0, 0, mark));
  await until("a reaction", () =>
    isOver || raw.frames().some(({ type, payload }) => (type === 6 && payload.equals(mark)) || type === 7) ? true : undefined,
  );
}
