import { renameSync, writeFileSync } from "node:fs";
import { connect } from "node:tls";
import { makeTemporaryFolder, openRaw, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { serveFleet, up } from "./support/fleet.ts";
import { Loads } from "./support/loads.ts";
import { run } from "./support/run.ts";
import { iniOf, serve } from "./support/serve.ts";
import { ask, certificate, copyCertificates, handshake, heldHandshake, pem, tlsIni } from "./support/tls.ts";

const portOf = (url: string): number => Number(new URL(url).port);
const kinds = ["hello.js", "express.js", "hono.js", "plain.js", "fetch.js"];

describe("TLS", () => {
  test.each(kinds)("%s is served, and knows that it is secure", async (app) => {
    await using server = serve({ app, server: tlsIni });
    const url = await server.listening();
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:/);
    const socket = await handshake(portOf(url));
    expect(await ask(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    socket.destroy();
    server.kill();
    expect(await server.exited()).toEqual({ code: 0, signal: null });
  });

  test("plain HTTP gets a sentence, a slow handshake an end; both are counted, and nobody else notices", async () => {
    await using server = serve({ server: { ...tlsIni, header_timeout: "1 second" }, args: ["--debug"] });
    const url = await server.listening();
    const plain = await openRaw(url.replace("https", "http"));
    plain.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(await plain.closed()).toMatch(/^HTTP\/1\.1 400 [^]*This port speaks HTTPS/);
    const slow = await openRaw(url.replace("https", "http"));
    slow.send(Buffer.from("160301", "hex"));
    expect(await slow.closed()).toBe("");
    await server.log(/^a TLS handshake failed: plain_http/);
    await server.log(/^a TLS handshake failed: (?:timeout|reset)/);
    // A busy machine may need longer than the limit for one.
    const socket = await until("a handshake in time", () => handshake(portOf(url)).catch(() => undefined));
    expect(await ask(socket)).toContain("200 OK");
  });

  test("a stop loses nothing: connections that are kept, new ones, handshakes on their way", async () => {
    await using server = serve({ app: "plain.js", server: { ...tlsIni, drain_time: "300 milliseconds", access_log: "false" } });
    const port = portOf(await server.listening());
    const open = (ready: () => void): ReturnType<typeof connect> =>
      connect({ port, host: "127.0.0.1", ca: pem("ca"), servername: "localhost" }, ready);
    const expected = await ask(await handshake(port));
    const body = expected.slice(expected.indexOf("\r\n\r\n") + 4);
    const loads = new Loads(port);
    for (const keepAlive of [true, false])
      loads.begin(keepAlive ? "kept" : "new", { open, clients: 4, keepAlive, expect: (answer) => answer === body });
    await loads.served(4);
    server.kill();
    const exit = await server.exited();
    expect(await loads.end({ mayBeRefused: true })).toEqual({});
    expect(exit).toEqual({ code: 0, signal: null });
  });

  test.each(["of known length", "in chunks"])("a body %s comes while the answer before it still leaves", async (how) => {
    await using server = serve({ app: "streams.js", server: tlsIni });
    const { socket, raw, together } = await heldHandshake(portOf(await server.listening()));
    let text = "";
    socket.on("data", (part) => (text += String(part)));
    socket.write("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await until("the answer to begin", () => text !== "" || undefined);
    raw.pause();
    const pieces = Array.from({ length: 10 }, () => "y".repeat(200));
    const head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    // Many records of TLS, which are read at once.
    if (how === "in chunks")
      await together([`${head}Transfer-Encoding: chunked\r\n\r\n`, ...pieces.map((each) => `c8\r\n${each}\r\n`), "0\r\n\r\n"]);
    else await together([`${head}Content-Length: 2000\r\n\r\n`, ...pieces]);
    raw.resume();
    await until("both answers", () => socket.readableEnded || undefined);
    expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(["200", "200"]);
    expect(text.split("y").length - 1).toBe(2000);
  });

  test("a client certificate is asked for and required as it is written", async () => {
    const ca = { "tls.client_ca": certificate("ca") };
    await using server = serve({ server: { ...tlsIni, ...ca, "tls.client_certificates": "require" } });
    const port = portOf(await server.listening());
    expect(await ask(await handshake(port, { cert: pem("client"), key: pem("client.key") }))).toContain("200 OK");
    const without = await handshake(port)
      .then((socket) => ask(socket))
      .catch((error: unknown) => String(error));
    expect(without).not.toContain("200 OK");
  });
});

describe("certificates", () => {
  test.each([
    ["tls.certificate", { "tls.certificate": "absent.pem" }, /absent\.pem: there is no such file/],
    ["tls.key", { "tls.key": certificate("api.key") }, /is not the key of the certificate/],
    ["tls.key", { "tls.key": "" }, /a value is required beside tls\.certificate/],
    ["tls.client_ca", { "tls.client_certificates": "require" }, /a value is required for tls\.client_certificates = require/],
    ["tls.min_version", { "tls.min_version": "1.1" }, /expected/],
    ["proxy_protocol", { proxy_protocol: "v2" }, /expected real_ip_from beside it/],
  ])("%s that can't be used exits 2 with its place", async (key, settings, message) => {
    for (const args of [
      ["check", "app.ini"],
      ["app.ini", "--bind", "127.0.0.1:0"],
      ["app.ini", "--bind", "127.0.0.1:0", "--workers", "2"],
    ]) {
      const { code, stderr } = await run({ "app.ini": iniOf({ server: { ...tlsIni, ...settings, "metrics.enabled": "false" } }) }, args);
      expect(stderr).toMatch(new RegExp(`app\\.ini:\\d+: \\[server:main\\] ${key.replace(".", "\\.")}: `));
      expect(stderr).toMatch(message);
      expect(stderr).not.toContain("PRIVATE KEY");
      expect(code).toBe(2);
    }
  });

  test("are exchanged by all workers while they serve; a bad pair changes nothing and is told once; sessions are resumed anywhere", async () => {
    const certificates = makeTemporaryFolder();
    const { path: folder } = certificates;
    copyCertificates(folder);
    await using fleet = await serveFleet({ server: `tls.certificate = ${folder}/localhost.pem\ntls.key = ${folder}/localhost.key.pem` });
    await up(fleet, 2);
    const serial = async (): Promise<string> => {
      const socket = await handshake(fleet.port);
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    };
    const before = await serial();
    const kept = await handshake(fleet.port, { maxVersion: "TLSv1.2" });
    const session = kept.getSession();
    expect(session).toBeDefined();
    // A key that is not the certificate's: refused, the old pair stays.
    writeFileSync(`${folder}/localhost.pem`, pem("renewed"));
    await until(
      "both workers to refuse it",
      () => (fleet.logs().filter(({ msg }) => /can't be used, the old one stays/.test(msg)).length >= 2 ? true : undefined),
      { describe: () => fleet.stdout() },
    );
    expect(await serial()).toBe(before);
    writeFileSync(`${folder}/next`, pem("renewed.key"));
    renameSync(`${folder}/next`, `${folder}/localhost.key.pem`);
    await until(
      "both workers to serve the new one",
      () => (fleet.logs().filter(({ msg }) => msg.startsWith("new certificates are served")).length >= 2 ? true : undefined),
      { describe: () => fleet.stdout() },
    );
    expect(await serial()).not.toBe(before);
    expect(await ask(kept)).toContain("200 OK");
    let resumed = 0;
    for (let n = 0; n < 12; n++) {
      const socket = await handshake(fleet.port, { maxVersion: "TLSv1.2", ...(session === undefined ? {} : { session }) });
      if (socket.isSessionReused()) resumed += 1;
      socket.destroy();
    }
    expect(resumed).toBe(12);
    expect(fleet.logs().filter(({ msg }) => /can't be used/.test(msg))).toHaveLength(2);
    certificates.remove();
  });
});
