import { freePort, openRaw, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { appKinds, type AppKind } from "./support/kinds.ts";
import { scrape } from "./support/scrape.ts";
import { serve, type Served } from "./support/serve.ts";

interface Subject {
  readonly kind: AppKind;
  readonly base: string;
  readonly metrics: number;
  readonly server: Served;
}

const get = (target: string, more = ""): string => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
const post = (target: string, body: string, more = "Content-Type: application/json\r\n"): string =>
  `POST ${target} HTTP/1.1\r\nHost: localhost\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;
const last = "Connection: close\r\n";
const statusesIn = (text: string): string[] => (text.match(/HTTP\/1\.1 \d{3}/g) ?? []).map((line) => line.slice(9));

/** Sends, and gives all that comes until the server ends the connection. */
async function exchange(base: string, text: string): Promise<string> {
  using raw = await openRaw(base);
  raw.socket.write(text, "latin1");
  return await raw.closed(20_000);
}

async function statusOf(base: string, text: string): Promise<number> {
  return Number(statusesIn(await exchange(base, text))[0]);
}

/** How many lines of the log, and of what frameworks print beside it, tell of something. */
function linesWith({ stdout, stderr }: Served, text: string): string[] {
  return `${stdout()}\n${stderr()}`.split("\n").filter((line) => line.includes(text));
}

type Check = (subject: Subject) => Promise<void>;

/** What must be true of every kind, each by itself: they run beside each other on one server. */
const checks: Readonly<Record<string, Check>> = {
  "answers without a body keep their place in a pipeline": async ({ base, kind }) => {
    const head = get("/ok").replace("GET", "HEAD");
    const text = await exchange(base, `${head}${get("/empty")}${get("/unchanged")}${get("/ok", last)}`);
    expect(statusesIn(text)).toEqual([kind.hasNoHead === undefined ? "200" : "404", "204", "304", "200"]);
    expect(text).toMatch(/\r\n\r\nok$/);
    expect(text.split("HTTP/1.1 ")[1]).toMatch(/\r\n\r\n$/);
  },

  "what is not there is a 404": async ({ base }) => expect(await statusOf(base, get("/nope", last))).toBe(404),

  "what a handler throws is a 500 with its stack, told once": async ({ base, kind, server }) => {
    const text = await exchange(base, get("/throw", last));
    expect(statusesIn(text)).toEqual(["500"]);
    expect(text).not.toMatch(/parts\.js/);
    await until("the line", () => linesWith(server, "it throws").length > 0 || undefined);
    await until("its stack", () => linesWith(server, "throws (file:").length + linesWith(server, "parts.js").length > 0 || undefined);
    if (kind.tellsOnStderr === undefined) expect(linesWith(server, "it throws")).toHaveLength(1);
  },

  "what a handler rejects with is a 500, told once": async ({ base, kind, server }) => {
    expect(await statusOf(base, get("/reject", last))).toBe(500);
    await until("the line", () => linesWith(server, "it rejects").length > 0 || undefined);
    if (kind.tellsOnStderr === undefined) expect(linesWith(server, "it rejects")).toHaveLength(1);
    expect(linesWith(server, "of-an-upstream").filter((line) => line.startsWith("{"))).toEqual([]);
  },

  "malformed JSON is the client's fault": async ({ base, server }) => {
    expect(await statusOf(base, post("/json", '{"bad-json', `Content-Type: application/json\r\n${last}`))).toBe(400);
    expect(linesWith(server, "bad-json").filter((line) => line.startsWith("{"))).toEqual([]);
  },

  "a body that is too large is a 413, by its head and on its way, and the app may answer late": async ({ base, kind, server }) => {
    const body = "x".repeat(150_000);
    expect(await statusOf(base, post("/json", `"${body}"`, `Content-Type: application/json\r\n${last}`))).toBe(413);
    if (kind.limitsItself !== undefined) return;
    const chunk = `${body.length.toString(16)}\r\n${body}\r\n`;
    const head = "POST /late HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    const begun = server.logs().filter(({ msg }) => msg === "answers late").length;
    expect(statusesIn(await exchange(base, `${head}${chunk}0\r\n\r\n`))).toEqual(["413"]);
    await until("the late answer", () => server.logs().filter(({ msg }) => msg === "answers late").length > begun || undefined);
  },

  "a body that can't be read is the client's fault, and nobody is warned of the app's answer to it": async ({ base, server }) => {
    const head = `POST /json HTTP/1.1\r\nHost: localhost\r\n`;
    const bodies = [
      "Transfer-Encoding: gzip\r\n\r\n",
      "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
      "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n",
      "Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
    ];
    // An app that does not want the body may have answered before.
    for (const text of bodies) expect([text, (await statusOf(base, `${head}${text}`)) < 500]).toEqual([text, true]);
    expect(linesWith(server, "already sent").filter((line) => line.includes("/json"))).toEqual([]);
  },

  "a body that was begun and not read to its end does not block the connection": async ({ base }) => {
    using raw = await openRaw(base);
    raw.send(
      `POST /part HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: 90000\r\n\r\n${"x".repeat(90_000)}`,
    );
    raw.send(get("/users/next", last));
    const text = await raw.closed(20_000);
    expect(text).toMatch(/^HTTP\/1\.1 401/);
    expect(statusesIn(text).length).toBeLessThanOrEqual(2);
  },

  "a client that half-closes gets its answer": async ({ base }) => {
    using raw = await openRaw(base);
    raw.socket.end(get("/slow?ms=300"));
    expect(await raw.closed(20_000)).toMatch(/^HTTP\/1\.1 200[^]*slow/);
  },

  "a stream that breaks is no whole answer": async ({ base, kind }) => {
    if (kind.leavesBrokenStreams !== undefined) return;
    const text = await exchange(base, get("/stream"));
    expect(text).toMatch(/^HTTP\/1\.1 200[^]*begun/);
    expect(text).not.toMatch(/\r\n0\r\n\r\n$/);
  },

  "a client that leaves a stream, or an answer that never comes, is no fault": async ({ base, server }) => {
    for (const path of ["/events?left", "/never?left"]) {
      using raw = await openRaw(base);
      raw.send(get(path));
      if (path.startsWith("/events")) await raw.receives(/tick/);
      else await statusOf(base, get("/ok", last));
    }
    const left =
      (path: string) =>
      ({ msg, ...line }: { readonly msg: string; readonly [key: string]: unknown }) =>
        msg.startsWith("request ") && line["path"] === path;
    await until("their lines", () => (server.logs().some(left("/events")) && server.logs().some(left("/never"))) || undefined);
  },

  "who answers twice has answered once": async ({ base, kind }) => {
    if (kind.isWebStandard !== undefined) return;
    const text = await exchange(base, `${get("/twice")}${get("/ok", last)}`);
    expect(text).toMatch(/^HTTP\/1\.1 200[^]*once/);
    expect(text).not.toMatch(/twice/);
  },

  "no answer is longer than it says": async ({ base }) => {
    const text = await exchange(base, `${get("/spills")}${get("/ok", last)}`);
    // What spills would be taken for the answer to the next request; what is missing would be taken from it.
    const [, length = "", body = ""] = /^[^]*?content-length: (\d+)\r\n[^]*?\r\n\r\n([^]*)$/i.exec(text) ?? [];
    const next = body.slice(Number(length));
    expect([text, next === "" || /^HTTP\/1\.1 200[^]*\r\n\r\nok$/.test(next)]).toEqual([text, true]);
    const short = await exchange(base, get("/short"));
    expect(short).toMatch(/^(?:|HTTP\/1\.1 (?:500|200[^]*12345))/);
  },

  "an app that destroys its response closes that connection": async ({ base, kind }) => {
    if (kind.isWebStandard !== undefined) return;
    expect(await exchange(base, get("/dies"))).toBe("");
  },

  "the client's fault in a head is a 400 and nobody's error": async ({ base }) => {
    const bad = [
      "GET /bad HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
      "GET /bad HTTP/1.1\r\n\r\n",
      "GET /bad HTTP/1.1\r\nHost: a/b\r\n\r\n",
      "POST /bad HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "GET /bad HTTP/2.0\r\nHost: a\r\n\r\n",
      "POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
      "GARBAGE\r\n\r\n",
    ];
    for (const text of bad) expect([text, await statusOf(base, text)]).toEqual([text, 400]);
  },

  "strange targets and methods are nobody's 500": async ({ base }) => {
    const targets = [
      "//evil.example/admin",
      "//",
      "/%zz",
      "/%ff",
      "/..%2f..",
      "http://other.example/ok",
      "http://[/",
      "/a\\b",
      "/?%",
      "/users/%",
    ];
    for (const target of targets) {
      const status = await statusOf(base, get(target, last));
      expect([target, status >= 200 && status < 500]).toEqual([target, true]);
    }
    for (const method of ["TRACE", "PROPFIND", "DELETE", "OPTIONS", "M-SEARCH"]) {
      const status = await statusOf(base, get("/ok", last).replace("GET", method));
      expect([method, status === 501 || (status >= 200 && status < 500)]).toEqual([method, true]);
    }
    expect(await statusOf(base, get("*", last).replace("GET", "OPTIONS"))).toBeLessThan(500);
  },

  "the client is whom a trusted proxy names": async ({ base, kind, server }) => {
    const headers = "X-Forwarded-For: 6.6.6.6, 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n";
    const text = await exchange(base, get("/client", `${headers}${last}`));
    const found = JSON.parse(/\{.*\}/.exec(text)?.[0] ?? "{}") as object;
    if (kind.readsSocket === undefined) expect(found).toEqual({ ip: "9.9.9.9", protocol: "https", host: "shop.example" });
    else expect(found).toMatchObject({ ip: "127.0.0.1" });
    await until("its line", () => server.logs().some(({ path, client }) => path === "/client" && client === "9.9.9.9") || undefined);
  },

  "an Upgrade that nobody takes is a plain request": async ({ base }) => {
    const more = `Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n`;
    expect(await exchange(base, get("/ok", more))).toMatch(/^HTTP\/1\.1 200[^]*ok$/);
  },

  "100 Continue is said when the body is wanted": async ({ base }) => {
    using raw = await openRaw(base);
    const more = `Content-Type: application/octet-stream\r\nExpect: 100-continue\r\n${last}`;
    raw.send(`POST /echo HTTP/1.1\r\nHost: localhost\r\n${more}Content-Length: 5\r\n\r\n`);
    await raw.receives(/^HTTP\/1\.1 100/);
    raw.send("12345");
    expect(await raw.closed(20_000)).toMatch(/HTTP\/1\.1 20[01][^]*5 bytes/);
  },

  "the route's pattern is in the metrics and the log": async ({ base, kind, metrics, server }) => {
    expect(await exchange(base, get("/users/seven", last))).toMatch(/"id":"seven"/);
    const line = await until("the line", () => server.logs().find(({ path }) => path === "/users/seven"));
    if (kind.endpoint !== "*") expect(line).toMatchObject({ route: kind.endpoint });
    await until("the metric", async () => {
      const page = await scrape(metrics).catch(() => undefined);
      return page?.sum("http_server_requests_total", `http_endpoint="${kind.endpoint}"`, 'http_response_code="200"') || undefined;
    });
    expect((await scrape(metrics)).text).not.toMatch(/seven/);
  },
};

/** All that is wrong, rather than the first of it. */
async function failuresOf(subject: Subject): Promise<string[]> {
  const failed = Object.entries(checks).map(async ([name, check]) => {
    try {
      await check(subject);
      return [];
    } catch (error) {
      return [`${name}: ${(error as Error).message.slice(0, 1500)}`];
    }
  });
  return (await Promise.all(failed)).flat();
}

/** What is in progress when the signal comes is answered, and says that it is the last; nothing more than that is run. */
async function stops({ base, server }: Subject, processes: number): Promise<void> {
  const plain = await Promise.all(Array.from({ length: 8 }, () => openRaw(base)));
  for (const raw of plain) raw.send(get("/slow?ms=700"));
  using pipelined = await openRaw(base);
  pipelined.send(get("/slow?ms=600") + get("/slow?ms=500") + get("/slow?ms=400"));
  using events = await openRaw(base);
  server.kill();
  const told = (): number => server.logs().filter(({ msg }) => /readiness fails/.test(msg)).length;
  await until("the drain", () => told() >= processes || undefined);
  events.send(get("/events?drained"));
  expect(await events.receives(/^[^]*?\r\n\r\n/)).toMatch(/^connection: close$/im);
  events.socket.destroy();
  for (const raw of plain) expect(await raw.closed(20_000)).toMatch(/^HTTP\/1\.1 200[^]*slow/);
  expect(statusesIn(await pipelined.closed(20_000))).toEqual(["200", "200", "200"]);
  expect((await server.exited(30_000)).code).toBe(0);
}

describe.concurrent.each(appKinds)("$name", (kind) => {
  test.concurrent.each(["one process", "two workers"])("%s", async (processes) => {
    const metrics = await freePort();
    const port = await freePort();
    await using server = serve({
      app: "kinds.js",
      config: { kind: kind.name },
      bind: [`127.0.0.1:${port}`],
      server: {
        "metrics.endpoint": `127.0.0.1:${metrics}`,
        client_max_size: "100K",
        real_ip_from: "loopback",
        drain_time: "1 second",
        stop_timeout: "20 seconds",
        ...(processes === "two workers" ? { workers: "2" } : {}),
      },
    });
    await until("the start", () => server.logs().some(({ msg }) => msg.startsWith("listening on ")) || undefined, { timeoutMs: 60_000 });
    const subject: Subject = { kind, base: `http://127.0.0.1:${port}`, metrics, server };
    expect(await failuresOf(subject)).toEqual([]);
    await stops(subject, processes === "two workers" ? 2 : 1);
    const lines = server.stdout().split("\n");
    expect(lines.filter((line) => Buffer.byteLength(line) > 16 * 1024)).toEqual([]);
    expect(server.logs().filter(({ level }) => level === "fatal")).toEqual([]);
    // The app's own faults, and nothing else, are errors.
    const others = server
      .logs()
      .filter(
        (line) =>
          line.level === "error" &&
          !/it (?:throws|rejects)|stream breaks|Content-Length says|ERR_HTTP_HEADERS_SENT/.test(JSON.stringify(line)),
      );
    expect(others.filter(({ msg }) => !msg.startsWith("request "))).toEqual([]);
  });
});

/** What operators set, for all that is Node on a machine. */
const nodeOptions = [
  "--disallow-code-generation-from-strings",
  "--disable-proto=throw",
  "--no-addons",
  "--jitless",
  "--max-old-space-size=32",
  "--stack-trace-limit=0",
  "--enable-source-maps --preserve-symlinks",
  "--unhandled-rejections=warn --no-deprecation --throw-deprecation",
  "--input-type=module",
];

test.concurrent.each(nodeOptions)("with NODE_OPTIONS=%s it serves with workers, and stops", async (options) => {
  await using server = serve({ app: "plain.js", env: { NODE_OPTIONS: options }, args: ["--workers", "2"] });
  const base = await server.listening();
  expect(await statusOf(base, get("/", last))).toBe(200);
  server.kill("SIGTERM");
  expect(await server.exited()).toEqual({ code: 0, signal: null });
  expect(server.logs().filter(({ level }) => level !== "info")).toEqual([]);
});

test("with NODE_OPTIONS=--frozen-intrinsics it serves, or says in a sentence why it can't", async () => {
  await using server = serve({ env: { NODE_OPTIONS: "--frozen-intrinsics" } });
  const isUp = (): boolean => server.logs().some(({ msg }) => msg.startsWith("listening on "));
  await until("its start, or its end", () => isUp() || server.stderr().includes("tsserve: ") || undefined);
  if (isUp()) return;
  expect((await server.exited()).code).toBe(2);
  expect(server.stderr()).toMatch(/^tsserve: .*--frozen-intrinsics in NODE_OPTIONS/m);
  expect(server.stderr()).not.toMatch(/^ +at /m);
});

const permission = Number(process.versions.node.split(".", 1)[0]) >= 23 ? "--permission" : "--experimental-permission";

test.each(["--workers=2", "--reload"])("where Node forbids processes, %s is refused in a sentence", async (option) => {
  const env = { NODE_OPTIONS: `${permission} --allow-fs-read=* --allow-fs-write=* --allow-worker` };
  await using server = serve({ env, args: [option] });
  expect((await server.exited()).code).toBe(2);
  expect(server.stderr()).toMatch(new RegExp(`^tsserve: ${option.split("=", 1)[0]} starts processes, .*--allow-child-process`, "m"));
  expect(server.stderr()).not.toMatch(/^ +at /m);
});
