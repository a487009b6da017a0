import { openRaw, until } from "@tsserve/testing";
import { describe, expect, test } from "vitest";
import { serve } from "./support/serve.ts";

describe("the log", () => {
  test("is one JSON object a line, with time, level, msg, pid, hostname and logger", async () => {
    await using server = serve();
    await server.listening();
    server.kill();
    await server.exited();
    const lines = server
      .stdout()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) {
      expect(line).toMatchObject({
        level: expect.stringMatching(/^[a-z]+$/),
        msg: expect.any(String),
        pid: server.pid,
        hostname: expect.any(String),
        logger: expect.any(String),
      });
      expect(line["time"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    }
    expect(server.stderr()).toBe("");
  });

  test("has a line for each request: id, method, route, status, duration, client", async () => {
    await using server = serve();
    const base = await server.listening();
    await fetch(`${base}/hello/you?secret=1`);
    const line = await server.log(/^request completed/);
    expect(line).toMatchObject({
      logger: "tsserve.access",
      method: "GET",
      route: "/hello/:name",
      path: "/hello/you",
      status: 200,
      client: "127.0.0.1",
    });
    expect(line["req_id"]).toMatch(/./);
    expect(line["duration_ms"]).toBeGreaterThan(0);
    expect(JSON.stringify(server.logs())).not.toContain("secret");
  });

  test("carries the caller's trace inside a request, in the app's own lines too", async () => {
    await using server = serve({ app: "logs.js" });
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    await fetch(await server.listening(), { headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` } });
    const completed = await server.log(/^request completed/);
    const own = await server.log(/^inside a request/);
    for (const line of [own, completed]) expect(line).toMatchObject({ trace_id: trace, span_id: expect.stringMatching(/^[0-9a-f]{16}$/) });
    expect(own["span_id"]).toBe(completed["span_id"]);
  });

  test("believes X-Forwarded-For of trusted proxies only", async () => {
    const client = async (settings: Readonly<Record<string, string>>): Promise<unknown> => {
      await using server = serve({ server: settings });
      await fetch(await server.listening(), { headers: { "x-forwarded-for": "203.0.113.7" } });
      return (await server.log(/^request completed/))["client"];
    };
    expect(await client({})).toBe("127.0.0.1");
    expect(await client({ real_ip_from: "loopback" })).toBe("203.0.113.7");
  });

  test("access_log = false leaves the request lines out", async () => {
    await using server = serve({ app: "logs.js", server: { access_log: "false" } });
    await fetch(await server.listening());
    await server.log(/^inside a request/);
    server.kill();
    await server.exited();
    expect(server.stdout()).not.toContain("request completed");
  });

  test("levels: --debug, --log-level, the environment and [logging] in their order", async () => {
    const level = async (more: string, args: string[], env: Record<string, string>): Promise<boolean[]> => {
      await using server = serve({ app: "logs.js", more, args, env });
      await server.log(/^an error at the start/);
      return ["debug", "info"].map((each) => server.logs().some(({ level: found }) => found === each));
    };
    expect(await level("", [], {})).toEqual([false, true]);
    expect(await level("[logging]\nlevel = warn", [], {})).toEqual([false, false]);
    expect(await level("[logging]\nlevel = warn", [], { TSSERVE_LOG_LEVEL: "info" })).toEqual([false, true]);
    expect(await level("[logging]\nlevel = warn", ["--log-level", "debug"], { TSSERVE_LOG_LEVEL: "info" })).toEqual([true, true]);
    expect(await level("", ["--debug"], {})).toEqual([true, true]);
    expect(await level("[logging]\nlevels.app = debug", [], {})).toEqual([true, true]);
    expect(await level("[logging]\nlevels.app = error\nlevels.tsserve = error", [], {})).toEqual([false, false]);
  });

  test("redact takes values out", async () => {
    await using server = serve({ app: "logs.js", more: "[logging]\nredact = user.token, *.password" });
    expect(await server.log(/^an error at the start/)).toMatchObject({
      user: { token: "[Redacted]", password: "[Redacted]", name: "joe" },
    });
  });

  test("pretty is for people", async () => {
    await using server = serve({ app: "logs.js", args: ["--log-format", "pretty"] });
    await until("a line", () => server.stdout().includes("listening on") || undefined);
    expect(server.stdout()).toMatch(/\[\d\d:\d\d:\d\d\.\d{3}\] ERROR.*an error at the start/);
  });

  test("loses nothing of what was logged before an exit, however it ends", async () => {
    for (const how of ["signal", "throw", "exit"]) {
      await using server = serve({ app: "logs.js", config: { lines: "5000", then: how } });
      await server.exited();
      expect(server.logs().filter(({ msg }) => msg.startsWith("line "))).toHaveLength(5000);
    }
  });
});

test("the log of a request that is cut off by its client says so", async () => {
  await using server = serve({ app: "slow.js" });
  const raw = await openRaw(await server.listening());
  raw.send("GET /slow/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await server.log(/^slow a has begun/);
  raw[Symbol.dispose]();
  expect(await server.log(/^request aborted/)).not.toHaveProperty("status");
});

test("Fastify's own ways with logs work: ids from a header, children, the level of a route, errors", async () => {
  await using server = serve({ app: "fastify-logs.js" });
  const base = await server.listening();
  const answer = await fetch(base, { headers: { "x-request-id": "mine" } });
  expect(await answer.json()).toEqual({ level: "info", id: "mine" });
  expect(answer.headers.get("x-request-id")).toBe("mine");
  expect(await server.log(/^request completed/)).toMatchObject({ req_id: "mine" });
  await fetch(`${base}/debug`);
  expect((await fetch(`${base}/fail`)).status).toBe(500);
  expect(await server.log(/^from the app/)).toMatchObject({ logger: "app" });
  expect(await server.log(/^from a child/)).toMatchObject({ req_id: "mine", part: "db", trace_id: expect.any(String) });
  expect(await server.log(/^one route at debug/)).toMatchObject({ level: "debug", req_id: expect.any(String) });
  expect(JSON.stringify(await server.log(/^this route fails/))).toMatch(/fastify-logs\.js/);
});
