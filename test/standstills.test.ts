import { connect } from "node:tls";
import { fileURLToPath } from "node:url";
import { openRaw, until, type RawConnection } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { ask, openSession } from "./support/http2.ts";
import { serve, type Served, type ServeOptions } from "./support/serve.ts";
import { addLater, benchClient, framed, message, serveThrift } from "./support/thrift.ts";
import { handshake, pem, tlsIni } from "./support/tls.ts";

/** Long enough for what comes before the standstill, on a slow machine too. */
const limitMs = 2000;
const limits = { header_timeout: `${limitMs} milliseconds`, request_timeout: `${limitMs} milliseconds` };
const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** A server whose event loop can be made to stand still for longer than its limits. */
const standing = <T extends ServeOptions>(options: T): T => ({
  ...options,
  env: {
    NODE_OPTIONS: `--require ${fileURLToPath(new URL("fixtures/stand-still.cjs", import.meta.url))}`,
    STAND_STILL_MS: String(2 * limitMs),
  },
});

/** What is said while the event loop stands still is read when the limit is over, whose timer comes first. */
async function standStill(server: Pick<Served, "kill" | "stderr">, say: () => void | Promise<void>): Promise<void> {
  server.kill("SIGWINCH");
  await until("it to stand still", () => server.stderr().includes("standing still"));
  await say();
}

interface Waiting {
  readonly server: ServeOptions;
  /** What comes before the process stands still, and what comes meanwhile. */
  readonly before: string | Buffer;
  readonly meanwhile: string | Buffer;
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
const proxied = { real_ip_from: "loopback", proxy_protocol: "v1" };
const http = (server: Readonly<Record<string, string>>): ServeOptions => ({ app: "awkward.js", config: { kind: "plain" }, server });
const kinds: Readonly<Record<string, Waiting & { readonly answer: RegExp }>> = {
  "a PROXY header": {
    server: http({ ...limits, ...proxied }),
    before: "PROXY TCP4 192.0.2.7",
    meanwhile: ` 198.51.100.1 55555 80\r\n${request}`,
    answer: /^HTTP\/1\.1 200/,
  },
  "the preface of HTTP/2": {
    server: { app: "http2.js", server: { ...limits, http2: "true" } },
    before: preface.slice(0, 10),
    meanwhile: Buffer.concat([Buffer.from(preface.slice(10)), settings]),
    // The server's settings are its first frame.
    answer: /^\0\0.\x04/s,
  },
  "a head": { server: http(limits), before: "GET / HT", meanwhile: request.slice(8), answer: /^HTTP\/1\.1 200/ },
  "a body": {
    server: http(limits),
    before: "POST /take HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345",
    meanwhile: "67890",
    answer: /^HTTP\/1\.1 200[^]*taken/,
  },
};

describe.concurrent("a process that stood still blames no client for what came meanwhile", () => {
  for (const [kind, { server: options, before, meanwhile, answer }] of Object.entries(kinds)) {
    test(kind, async () => {
      await using server = serve(standing(options));
      const url = await server.listening();
      using raw = await openRaw(url);
      raw.send(before);
      await isRead(url, before);
      await standStill(server, () => raw.send(meanwhile));
      await raw.receives(answer);
    });
  }

  test("a stream's body", async () => {
    await using server = serve(standing({ app: "http2.js", server: { ...limits, http2: "true" } }));
    const session = await openSession(await server.listening());
    let send: (() => void) | undefined;
    const answered = ask(session, "/echo", {
      onOpen: (stream) => {
        stream.write("12345");
        send = () => stream.end("67890");
      },
      headers: { ":method": "POST", "content-type": "application/octet-stream" },
    });
    await until("the stream", () => send);
    expect((await ask(session, "/")).status).toBe(200);
    await standStill(server, () => send?.());
    expect(await answered).toMatchObject({ status: 200, body: "1234567890" });
    session.close();
  });

  test("the beginning of a TLS handshake", async () => {
    await using server = serve(standing(http({ ...limits, ...tlsIni })));
    const { port } = new URL(await server.listening());
    using raw = await openRaw(`http://127.0.0.1:${port}`);
    // A later handshake is over: this connection was accepted before.
    (await handshake(Number(port))).destroy();
    let outcome: "secured" | Error | undefined;
    await standStill(server, () => {
      const socket = connect({ socket: raw.socket, ca: pem("ca"), servername: "localhost" });
      socket.once("secureConnect", () => (outcome = "secured"));
      socket.on("error", (error) => (outcome ??= error));
    });
    expect(await until("the handshake", () => outcome)).toBe("secured");
  });
});

/** A connection that was accepted later has had its answer: what came on others before was read. */
async function isRead(url: string, before: string | Buffer): Promise<void> {
  using later: RawConnection = await openRaw(url);
  later.send(String(before).startsWith("PROXY") ? `PROXY TCP4 192.0.2.8 198.51.100.1 5 80\r\n${request}` : request);
  await later.receives(/^HTTP\/1\.1 \d+/);
}

describe.concurrent("a Thrift server that stood still ends no connection", () => {
  test("as one that idles", async () => {
    await using server = serveThrift(standing({ server: { idle_timeout: `${limitMs} milliseconds` } }));
    using raw = await openRaw(`http://${await server.endpoint()}`);
    const call = framed(message("binary", "add_later", addLater(1, 2, 0)));
    raw.send(call);
    await raw.receives(/add_later/);
    await standStill(server, () => raw.send(call));
    await raw.receives(/add_later[^]*add_later/);
  });

  test("as one that has sent half of a message", async () => {
    await using server = serveThrift(standing({ server: { receive_timeout: `${limitMs} milliseconds` } }));
    const endpoint = await server.endpoint();
    using raw = await openRaw(`http://${endpoint}`);
    const call = framed(message("binary", "add_later", addLater(1, 2, 0)));
    raw.send(call.subarray(0, 10));
    using other = benchClient(endpoint);
    await other.call("ping", []);
    await standStill(server, () => raw.send(call.subarray(10)));
    await raw.receives(/add_later/);
  });
});
