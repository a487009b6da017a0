import { createServer } from "node:http";
import { createRequire } from "node:module";
import Fastify from "fastify";
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import { refusalWithHttp2, refusalWithoutHttp2 } from "./refuse-app.ts";

const require = createRequire(import.meta.url);
const express = require("express") as () => unknown;
const Koa = require("koa") as new () => object;

const nest = (framework: unknown): object => ({
  init: () => Promise.resolve(),
  getHttpServer: () => undefined,
  getHttpAdapter: () => ({ getInstance: () => framework }),
});
const serverFactory = (handle: Parameters<typeof createServer>[1]): ReturnType<typeof createServer> => createServer(handle as never);
const both = (): unknown => Fastify({ http2: true, serverFactory } as never);

describe("an app with http2 = true", () => {
  test.each<[string, unknown]>([
    ["a Fastify instance for both protocols", both()],
    ["a NestJS application on such a one", nest(both())],
    ["a function", () => undefined],
    ["an http.Server", createServer(() => undefined)],
    ["a Koa app", new Koa()],
    ["a Hono app", new Hono()],
    ["a fetch app", { fetch: () => new Response() }],
  ])("may be %s", (_what, app) => expect(refusalWithHttp2(app)).toBeUndefined());

  test.each<[string, unknown, RegExp]>([
    ["a Fastify instance made otherwise", Fastify(), /without http2: true.*context\.fastifyOptions/],
    ["a Fastify instance with a server of its own", Fastify({ http2: true }), /HTTP\/2 server of its own.*context\.fastifyOptions/],
    ["an Express app", express(), /an Express app, which can't speak HTTP\/2/],
    ["an http.Server of an Express app", createServer(express() as never), /an Express app/],
    ["a NestJS application on Express", nest(express()), /NestJS application on Express.*platform-fastify/],
    ["a NestJS application on Fastify made otherwise", nest(Fastify()), /without http2: true/],
  ])("can't be %s", (_what, app, message) => {
    const refusal = refusalWithHttp2(app);
    expect(refusal?.message).toMatch(message);
    expect(refusal?.code).toBe("ERR_TSSERVE_APP_KIND");
  });
});

test("an app without http2 may be any that is not made for it", () => {
  for (const app of [Fastify(), express(), nest(Fastify()), new Koa()]) expect(refusalWithoutHttp2(app)).toBeUndefined();
  for (const app of [both(), nest(both())]) expect(refusalWithoutHttp2(app)?.message).toMatch(/http2 = true beside it/);
});
