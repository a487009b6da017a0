import { createHash } from "node:crypto";
import { createServer, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { describe, expect, test } from "vitest";
import { fixture, serve } from "./support/serve.ts";

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Answered {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

function ask(port: number, { method, path, headers = {}, body }: Asked): Promise<Answered | string> {
  return new Promise((resolve) => {
    const outgoing = httpRequest(
      { port, host: "127.0.0.1", method, path, agent: false, headers: { host: "example.org", ...headers } },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: text }));
        response.on("error", () => resolve("cut"));
      },
    );
    outgoing.on("error", () => resolve("refused"));
    outgoing.end(body);
  });
}

const answers = [
  "empty",
  "text",
  "html",
  "stream",
  "one-chunk",
  "no-content",
  "not-modified",
  "created",
  "redirect",
  "missing",
  "teapot",
  "cookies",
  "hop",
  "unread",
];
const targets = [
  "/",
  "/a/b?c=d&c=e",
  "/%41%2f",
  "/a//b",
  "/./a/../b",
  "/ü".normalize(),
  "/a?b=http://x/",
  "/a%00",
  "//other.example/x",
  "/a;b",
  "/a?",
];
const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"];

/** The same requests for both. */
function requests(): Asked[] {
  const all: Asked[] = [];
  for (const name of answers)
    for (const method of methods)
      all.push({ method, path: `/${name}`, ...(method === "POST" || method === "PUT" ? { body: "unread" } : {}) });
  for (const path of targets)
    for (const method of ["GET", "POST", "DELETE"])
      all.push({ method, path: encodeURI(path).replaceAll("%25", "%"), headers: { "x-sent": "1" } });
  for (const [n, body] of ["", "a", "ü".repeat(1000), "x".repeat(70_000), "{}", "\0"].entries())
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
      all.push({
        method,
        path: `/body/${n}`,
        body,
        headers: n % 2 === 0 && method.startsWith("P") ? {} : { "content-length": String(Buffer.byteLength(body)) },
      });
  for (const value of ["a", "a, b", "", "\u00fc", "a=b; c"])
    all.push({
      method: "GET",
      path: "/headers",
      headers: { "x-value": Buffer.from(value).toString("latin1"), "x-more": value.length > 2 ? "1" : "2" },
    });
  for (const path of ["/throw", "/error", "/short-length", "/short-stream", "/long-length"])
    for (const method of ["GET", "HEAD", "POST"]) all.push({ method, path });
  for (const host of ["example.org:8080", "[::1]:80", "EXAMPLE.org", "xn--nxasmq6b.example"])
    all.push({ method: "GET", path: "/host", headers: { host } });
  return all;
}

/**
 * What differs, and is meant to: each is a line of `docs/from-express.md`'s section on web-standard apps.
 */
function wanted({ path }: Asked): boolean {
  // Headers of the connection are not the app's; the framing is the server's, whatever lengths the app tells; a failure has
  // our body, and is logged.
  return ["/hop", "/throw", "/error", "/short-length", "/short-stream", "/long-length"].includes(path);
}

/** Without what is the server's own: framing, the time, the connection. */
function comparable(answered: Answered | string): unknown {
  if (typeof answered === "string") return answered;
  const {
    date,
    connection,
    "keep-alive": keepAlive,
    "transfer-encoding": chunked,
    "content-length": length,
    ...headers
  } = answered.headers;
  void [date, connection, keepAlive, chunked, length];
  // Hono's adapter says text/plain where the app says nothing; and the client's address is ours to add.
  if (String(headers["content-type"]).startsWith("text/plain")) delete headers["content-type"];
  const body = answered.body.replace(/\["x-forwarded-for","127\.0\.0\.1"\],?/, "").replace(",]", "]");
  return { status: answered.status, headers, body: body.length > 200 ? createHash("sha256").update(body).digest("hex") : body };
}

test("answers as Hono's own adapter does, but for what is meant to differ", async () => {
  const { default: app } = (await import(fixture("fetch-hostile.js"))) as { default: { fetch: (request: Request) => Promise<Response> } };
  const byHand = createServer();
  const listener = getRequestListener((request) => app.fetch(request), { overrideGlobalObjects: false });
  byHand.on("request", (incoming, response) => void listener(incoming, response));
  await new Promise<void>((resolve) => void byHand.listen(0, "127.0.0.1", resolve));
  const { port } = byHand.address() as AddressInfo;
  try {
    await using server = serve({ app: "fetch-hostile.js", server: { access_log: "false", request_id_header: "" } });
    const ours = Number(new URL(await server.listening()).port);
    const all = requests();
    expect(all.length).toBeGreaterThanOrEqual(180);
    const differing: unknown[] = [];
    for (const asked of all) {
      const [here, there] = await Promise.all([ask(ours, asked), ask(port, asked)]);
      if (!wanted(asked) && JSON.stringify(comparable(here)) !== JSON.stringify(comparable(there)))
        differing.push({ asked: `${asked.method} ${asked.path}`, here: comparable(here), there: comparable(there) });
    }
    expect(differing).toEqual([]);
  } finally {
    byHand.closeAllConnections();
    byHand.close();
  }
});

/** Sends bytes, and gives all that comes until the connection ends. */
function exchange(base: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(Number(new URL(base).port), "127.0.0.1", () => socket.end(bytes));
    socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
    socket.on("close", () => resolve(text));
    socket.on("error", () => undefined);
  });
}

describe("hostile input", () => {
  test("targets: what can't be a URL or a method is the client's fault, at debug; no path becomes a host", async () => {
    await using server = serve({ app: "fetch-hostile.js", args: ["--debug"] });
    const base = await server.listening();
    const cases: readonly (readonly [string, number, RegExp?])[] = [
      ["GET //evil.example/admin HTTP/1.1", 200, /"host":"good\.example"/],
      ["GET // HTTP/1.1", 200, /"host":"good\.example"/],
      ["GET /\\evil.example HTTP/1.1", 200, /"host":"good\.example"/],
      ["GET http://absolute.example/x HTTP/1.1", 200, /"host":"absolute\.example"/],
      ["GET http:// HTTP/1.1", 400],
      ["GET http://a:b@c.example/ HTTP/1.1", 400],
      ["GET ftp://c.example/ HTTP/1.1", 400],
      ["GET http://[::1/ HTTP/1.1", 400],
      ["GET http://c.example:99999/ HTTP/1.1", 400],
      ["OPTIONS * HTTP/1.1", 200],
      ["TRACE / HTTP/1.1", 501],
    ];
    for (const [line, status, body] of cases) {
      const answer = await exchange(base, `${line}\r\nHost: good.example\r\nConnection: close\r\n\r\n`);
      expect([line, answer.split(" ")[1]]).toEqual([line, String(status)]);
      if (body !== undefined) expect(answer).toMatch(body);
    }
    expect(server.logs().filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
  });

  test("no answer spills into the next, whatever the app says of its length", async () => {
    await using server = serve({ app: "fetch-hostile.js" });
    const base = await server.listening();
    for (const path of ["/error", "/short-length", "/long-length", "/hop", "/throw", "/no-content", "/not-modified"]) {
      const answer = await exchange(
        base,
        `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\nHEAD ${path} HTTP/1.1\r\nHost: a\r\n\r\nGET /text HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      );
      const heads = answer.match(/HTTP\/1\.1 \d{3}/g);
      expect([path, heads?.length, answer.endsWith("text")]).toEqual([path, 3, true]);
      expect(answer).not.toMatch(/x-private|timeout=1|h2c|trailers/);
    }
    // A stream that is longer than its length has been begun: it is cut, and its connection with it.
    const cut = await exchange(
      base,
      "GET /short-stream HTTP/1.1\r\nHost: a\r\n\r\nGET /text HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    expect(cut).not.toMatch(/than it says/);
  });

  test("a body that is not read does not hold up the connection", async () => {
    await using server = serve({ app: "fetch-hostile.js" });
    const base = await server.listening();
    const body = "x".repeat(800_000);
    const answer = await exchange(
      base,
      `POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}GET /text HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    expect(answer.startsWith("HTTP/1.1 401")).toBe(true);
  });

  test("an answer whose first chunk is its last tells its length", async () => {
    await using server = serve({ app: "fetch-hostile.js" });
    const base = await server.listening();
    for (const path of ["/text", "/one-chunk"]) expect((await fetch(`${base}${path}`)).headers.get("content-length")).toMatch(/^\d+$/);
    expect((await fetch(`${base}/stream`)).headers.get("content-length")).toBeNull();
    // A HEAD of a stream does not wait for it.
    expect((await fetch(`${base}/stream`, { method: "HEAD" })).status).toBe(200);
  });

  test("request.url has the scheme and host that a trusted proxy tells, and no others", async () => {
    const headers = { "x-forwarded-proto": "https", "x-forwarded-host": "public.example", "x-forwarded-for": "9.9.9.9" };
    for (const [settings, host, client] of [
      [{ real_ip_from: "loopback" }, "public.example", "9.9.9.9"],
      [{}, "127.0.0.1", "127.0.0.1"],
    ] as const) {
      await using server = serve({ app: "fetch-hostile.js", server: settings });
      const port = Number(new URL(await server.listening()).port);
      const asked = await ask(port, { method: "GET", path: "/x", headers: { ...headers, host: `127.0.0.1:${port}` } });
      if (typeof asked === "string") throw new Error(asked);
      const answer = JSON.parse(asked.body) as { host: string; seen: string[][] };
      expect(answer.host.split(":")[0]).toBe(host);
      expect(Object.fromEntries(answer.seen)["x-forwarded-for"]).toBe(client);
    }
  });
});
