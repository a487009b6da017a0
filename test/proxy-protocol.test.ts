import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, makeTemporaryFolder, openRaw, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { hasProgram } from "./support/measured.ts";
import { serve, type Served } from "./support/serve.ts";
import { ask, handshake, tlsIni } from "./support/tls.ts";

const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const v1 = Buffer.from("PROXY TCP4 192.0.2.7 198.51.100.1 55555 80\r\n");
const v2 = Buffer.from("0d0a0d0a000d0a515549540a2111000cc0000207c6336401d9030050", "hex");
const local = Buffer.from("0d0a0d0a000d0a515549540a20000000", "hex");
const trusting = { trust_proxy: "loopback", proxy_protocol: "auto", "metrics.enabled": "false" };

/** The clients of the access log, in order. */
const clients = (server: Served): unknown[] =>
  server
    .logs()
    .filter(({ logger }) => logger === "tsserve.access")
    .map(({ client }) => client);

describe.each(["hello.js", "express.js", "fetch.js", "plain.js"])("%s behind a proxy that sends PROXY headers", (app) => {
  test("has the client of the header for all requests of a connection; checks of the balancer are no requests", async () => {
    await using server = serve({ app, server: trusting });
    const url = await server.listening();
    for (const header of [v1, v2]) {
      using connection = await openRaw(url);
      connection.send(Buffer.concat([header, Buffer.from(request)]));
      await connection.receives(/200 OK/);
      connection.send(request);
      await connection.receives(/200 OK[^]*200 OK/);
    }
    for (const header of [local, v1]) {
      const check = await openRaw(url);
      check.send(header);
      check.socket.end();
      await check.closed();
    }
    using direct = await openRaw(url);
    direct.send(Buffer.concat([local, Buffer.from(request)]));
    await direct.receives(/200 OK/);
    await until("the log", () => (clients(server).length >= 5 ? true : undefined), { describe: server.stdout });
    expect(clients(server)).toEqual(["192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.7", "127.0.0.1"]);
  });
});

describe("a PROXY header", () => {
  test("may come in any two pieces, and is followed by the request whole", async () => {
    await using server = serve({ app: "plain.js", server: { ...trusting, access_log: "false" } });
    const url = await server.listening();
    for (const header of [v1, v2]) {
      const bytes = Buffer.concat([header, Buffer.from(request)]);
      await Promise.all(
        Array.from({ length: header.length + 2 }, async (_, cut) => {
          using connection = await openRaw(url);
          connection.socket.setNoDelay(true);
          connection.send(bytes.subarray(0, cut));
          await new Promise((resolve) => setImmediate(resolve));
          connection.send(bytes.subarray(cut));
          await connection.receives(/^HTTP\/1\.1 200 OK/);
        }),
      );
    }
  });

  test.each([
    ["a plain request", "auto", Buffer.from(request)],
    ["the other version", "v2", v1],
    ["the other version", "v1", v2],
    ["a malformed address", "auto", Buffer.from(`PROXY TCP4 999.2.3.4 1.1.1.1 1 1\r\n${request}`)],
    ["a header that does not end", "auto", Buffer.alloc(600, "PROXY TCP4 ")],
  ])("is required: %s ends the connection without a word to it (%s)", async (_name, versions, bytes) => {
    await using server = serve({ app: "plain.js", server: { ...trusting, proxy_protocol: versions }, args: ["--debug"] });
    using connection = await openRaw(await server.listening());
    connection.send(bytes);
    expect(await connection.closed()).toBe("");
    await server.log(/^refused a connection without a PROXY header/);
    expect(clients(server)).toEqual([]);
  });

  test("of a stranger is refused, and one that does not come", async () => {
    await using server = serve({ app: "plain.js", server: { trust_proxy: "10.0.0.0/8", proxy_protocol: "auto" }, args: ["--debug"] });
    using connection = await openRaw(await server.listening());
    connection.send(Buffer.concat([v2, Buffer.from(request)]));
    expect(await connection.closed()).toBe("");
    await server.log(/the peer is not among/);
    await using slow = serve({ app: "plain.js", server: { ...trusting, header_timeout: "300 milliseconds" }, args: ["--debug"] });
    using silent = await openRaw(await slow.listening());
    expect(await silent.closed()).toBe("");
  });
});

test.skipIf(!hasProgram("/usr/sbin/haproxy"))("haproxy passes its clients on, in both versions, to plain HTTP and to TLS", async () => {
  await using plain = serve({ app: "plain.js", server: trusting });
  await using secure = serve({ app: "plain.js", server: { ...trusting, ...tlsIni } });
  const upstream = { plain: new URL(await plain.listening()).host, secure: new URL(await secure.listening()).host };
  const [one, two, three] = [await freePort(), await freePort(), await freePort()];
  const folder = makeTemporaryFolder();
  const config = join(folder.path, "haproxy.cfg");
  const front = (name: string, port: number, server: string): string =>
    `frontend ${name}\n  bind 127.0.0.1:${port}\n  default_backend ${name}\nbackend ${name}\n  server s ${server}\n`;
  writeFileSync(
    config,
    `defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 20s\n  timeout server 20s\n${front("v1", one, `${upstream.plain} send-proxy check inter 100`)}${front("v2", two, `${upstream.plain} send-proxy-v2 check inter 100`)}${front("tls", three, `${upstream.secure} send-proxy-v2`)}`,
  );
  const proxy = spawn("/usr/sbin/haproxy", ["-f", config], { stdio: "ignore" });
  try {
    for (const port of [one, two]) {
      const answer = await until("an answer through haproxy", () => fetch(`http://127.0.0.1:${port}/`).catch(() => undefined));
      expect(answer.status).toBe(200);
    }
    const socket = await until("a handshake through haproxy", () => handshake(three).catch(() => undefined));
    expect(await ask(socket)).toContain("200 OK");
    socket.destroy();
    expect(new Set([...clients(plain), ...clients(secure)])).toEqual(new Set(["127.0.0.1"]));
    expect([...plain.logs(), ...secure.logs()].filter(({ level }) => level !== "info")).toEqual([]);
  } finally {
    proxy.kill("SIGKILL");
    folder.remove();
  }
});
