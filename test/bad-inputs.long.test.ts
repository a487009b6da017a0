import { once } from "node:events";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort, makeTemporaryFolder, openRaw, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { scrape, type Scrape } from "./support/scrape.ts";
import { serve } from "./support/serve.ts";
import { hasProgram } from "./support/measured.ts";
import { ask, handshake, makeBriefCertificate, pem, tlsIni } from "./support/tls.ts";

const get = Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
const addresses = Buffer.from([192, 0, 2, 7, 127, 0, 0, 1, 0, 80, 0, 90]);
const local = v2(0, 0, Buffer.alloc(0));

function v2(command: number, family: number, body: Buffer): Buffer {
  const head = Buffer.from("0d0a0d0a000d0a515549540a20000000", "hex");
  head[12] = 0x20 | command;
  head[13] = family;
  head.writeUInt16BE(body.length, 14);
  return Buffer.concat([head, body]);
}

/** What a client sends, what it is told, and how it is counted. */
type Case = readonly [what: string, bytes: Buffer | string, answer: RegExp, line: RegExp];

const nothing = /^$/;
const proxied: readonly Case[] = [
  ["a header of version 2 that is too long", v2(1, 0x11, Buffer.alloc(60_000)), nothing, /longer than 536 bytes/],
  ["a line of version 1 that is too long", `PROXY TCP4 ${"1".repeat(200)}\r\n`, nothing, /longer than 107 bytes/],
  ["no header", get, nothing, /does not begin with a PROXY header/],
  ["a handshake", Buffer.from("160301020001000", "hex"), nothing, /does not begin with a PROXY header/],
  ["half a header, and no more", "PROXY TC", nothing, /header is not whole \(timeout\)/],
  ["a port that is none", "PROXY TCP4 1.2.3.4 5.6.7.8 99999 2\r\n", nothing, /port of it is malformed/],
  ["an address that is none", "PROXY TCP4 999.2.3.4 5.6.7.8 1 2\r\n", nothing, /malformed/],
  ["an unknown family", Buffer.concat([v2(1, 0xff, addresses), get]), nothing, /family is unknown/],
];
const secure: readonly Case[] = [
  ["plain HTTP", get, /^HTTP\/1\.1 400 [^]*This port speaks HTTPS/, /handshake failed: plain_http/],
  ["half a hello, and no more", Buffer.from("16030102000100", "hex"), nothing, /handshake failed: timeout/],
  ["nothing at all", "", nothing, /handshake failed: timeout/],
  ["a hello of noise", Buffer.concat([Buffer.from("1603010040", "hex"), Buffer.alloc(64, 7)]), /^[^]{0,7}$/, /handshake failed: other/],
];
const count = (figures: Scrape, name: string, reason: string): number => figures.sum(name, `reason="${reason}"`);

async function allAreRefused(
  cases: readonly Case[],
  reason: string,
  settings: Readonly<Record<string, string>>,
  honest: (url: string) => Promise<string>,
): Promise<void> {
  const metrics = await freePort();
  const limits = { header_timeout: "500 milliseconds", "metrics.endpoint": `127.0.0.1:${metrics}` };
  await using server = serve({ app: "plain.js", server: { ...settings, ...limits }, args: ["--debug"] });
  const url = (await server.listening()).replace("https", "http");
  for (const [what, bytes, answer, line] of cases) {
    const lines = (): number => server.logs().filter(({ level, msg }) => level === "debug" && line.test(msg)).length;
    const before = lines();
    const client = await openRaw(url);
    if (bytes.length > 0) client.send(bytes);
    const closed = client.closed();
    // Meanwhile others are served.
    expect([what, await honest(url)]).toEqual([what, expect.stringMatching(/^HTTP\/1\.1 200 OK/)]);
    expect([what, await closed]).toEqual([what, expect.stringMatching(answer)]);
    await until(`a line for ${what}`, () => lines() > before, { describe: server.stdout });
  }
  await until("all to be counted", async () => {
    const figures = await scrape(metrics);
    return (
      count(figures, "http_server_rejected_requests_total", reason) === cases.length &&
      count(figures, "http_server_connections_closed_total", "rejected") === cases.length
    );
  });
  server.kill();
  expect(await server.exited()).toEqual({ code: 0, signal: null });
  expect(server.logs().filter(({ level }) => ["warn", "error", "fatal"].includes(level))).toEqual([]);
}

describe("bad input gets its sentence and its count, and nobody else notices:", () => {
  test("PROXY headers", async () => {
    await allAreRefused(proxied, "proxy_protocol", { proxy_protocol: "auto", real_ip_from: "loopback" }, async (url) => {
      const client = await openRaw(url);
      client.send(Buffer.concat([local, get]));
      return client.closed();
    });
  });

  test("handshakes", async () => {
    await allAreRefused(secure, "tls", tlsIni, async (url) => ask(await handshake(Number(new URL(url).port))));
  });

  test("a client that goes away in the middle of a handshake is no rejection", async () => {
    const metrics = await freePort();
    await using server = serve({ app: "plain.js", server: { ...tlsIni, "metrics.endpoint": `127.0.0.1:${metrics}` }, args: ["--debug"] });
    const socket = connect(Number(new URL(await server.listening()).port), "127.0.0.1");
    socket.resume().end(Buffer.from("16030102000100", "hex"));
    await once(socket, "close");
    await server.log(/^a TLS handshake failed: reset/);
    const figures = await until("the count", async () => {
      const each = await scrape(metrics);
      return count(each, "http_server_connections_closed_total", "client") === 1 ? each : undefined;
    });
    expect(count(figures, "tls_handshake_failures_total", "reset")).toBe(1);
    expect(count(figures, "http_server_rejected_requests_total", "tls")).toBe(0);
  });
});

test.skipIf(!hasProgram("/usr/bin/openssl"))(
  "a certificate that ends while it is served is told of when it does, and a renewed one heals",
  async () => {
    const made = makeTemporaryFolder();
    const { path: folder } = made;
    const end = new Date(Date.now() + 8000);
    makeBriefCertificate(folder, end);
    const metrics = await freePort();
    await using server = serve({
      app: "plain.js",
      server: {
        "tls.certificate": `${folder}/brief.pem`,
        "tls.key": `${folder}/brief.key.pem`,
        "metrics.endpoint": `127.0.0.1:${metrics}`,
      },
    });
    const port = Number(new URL((await server.listening()).replace("https", "http")).port);
    const ca = readFileSync(join(folder, "brief.pem"));
    expect(await server.log(/the certificate "default" has ended: clients refuse it/)).toMatchObject({
      level: "error",
      certificate: "default",
    });
    await expect(handshake(port, { ca })).rejects.toMatchObject({ code: "CERT_HAS_EXPIRED" });
    // Who does not look is served as before.
    const careless = await handshake(port, { rejectUnauthorized: false });
    expect(await ask(careless)).toContain("200 OK");
    careless.destroy();
    const told = (await scrape(metrics)).sum("tls_certificate_not_after_seconds", 'name="default"');
    expect(told).toBe(Math.floor(end.getTime() / 1000));
    for (const [name, of] of [
      ["brief.key.pem", "localhost.key"],
      ["brief.pem", "localhost"],
    ] as const) {
      writeFileSync(`${folder}/next`, pem(of));
      renameSync(`${folder}/next`, `${folder}/${name}`);
    }
    await server.log(/new certificates are served/);
    const socket = await handshake(port);
    expect(await ask(socket)).toContain("200 OK");
    socket.destroy();
    expect(server.logs().filter(({ msg }) => msg.includes("has ended")).length).toBe(1);
    server.kill();
    expect(await server.exited()).toEqual({ code: 0, signal: null });
    made.remove();
  },
);
