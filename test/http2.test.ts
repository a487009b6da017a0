import { until } from "@tsserve/testing";
import { expect, test } from "vitest";
import { ask, openSession } from "./support/http2.ts";
import { run } from "./support/run.ts";
import { iniOf, serve } from "./support/serve.ts";
import { tlsIni } from "./support/tls.ts";

const http2 = { http2: "true" };

test.each([
  ["plain", {}],
  ["TLS", tlsIni],
])("HTTP/2 and HTTP/1 are served on one port, over %s, and a stop answers what is handled", async (what, tls) => {
  await using server = serve({ app: "http2.js", server: { ...http2, ...tls, drain_time: "200 milliseconds" } });
  const url = await server.listening();
  const session = await openSession(url);
  const answer = await ask(session, "/");
  const port = new URL(url).port;
  expect([answer.status, JSON.parse(answer.body)]).toEqual([
    200,
    { version: "2.0", host: `localhost:${port}`, scheme: what === "TLS" ? "https" : "http", ip: "127.0.0.1" },
  ]);
  const line = await server.log(/^request completed/);
  expect(line).toMatchObject({ http_version: "2.0", route: "/", host: `localhost:${port}`, status: 200, client: "127.0.0.1" });
  if (what === "plain") expect(await (await fetch(url)).json()).toMatchObject({ version: "1.1" });
  const slow = ask(session, "/users/1?id=slow&ms=600");
  await until("it to be handled", () => server.logs().find(({ handled }) => handled === "slow"));
  let isTold = false;
  session.once("goaway", () => (isTold = true));
  server.kill();
  expect([(await slow).status, isTold]).toEqual([200, true]);
  expect(await server.exited()).toEqual({ code: 0, signal: null });
  expect(server.stderr()).toBe("");
});

test.each([
  ["an Express app", { kind: "express" }, http2, /gave an Express app, which can't speak HTTP\/2/],
  [
    "a Fastify instance made without it",
    { kind: "without" },
    http2,
    /gave a Fastify instance made without http2: true.*context\.fastifyOptions/,
  ],
])("%s is refused at the start", async (_what, config, server, message) => {
  const ini = iniOf({ app: "http2.js", config, server: { ...server, "metrics.enabled": "false" } });
  const { code, stderr } = await run({ "app.ini": ini }, ["app.ini", "--bind", "127.0.0.1:0"]);
  expect(stderr).toMatch(message);
  expect(code).toBe(3);
});
