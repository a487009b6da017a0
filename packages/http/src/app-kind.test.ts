import { createServer } from "node:http";
import { createRequire } from "node:module";
import Fastify from "fastify";
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import { hasHandler, isApp, isFetchApp, isHapi, isHttpServer, isKoa, isNest, isRestify, isSecureServer, withoutProxy } from "./app-kind.ts";
import { isFastify } from "./fastify-like.ts";

const express = createRequire(import.meta.url)("express") as () => unknown;

const koa = { callback: () => () => undefined, middleware: [], context: {}, listenerCount: () => 0, on: () => undefined };
const nest = { init: async () => undefined, getHttpAdapter: () => undefined, getHttpServer: () => undefined, close: async () => undefined };
const polka = { handler: () => undefined, listen: () => undefined, use: () => undefined };

const nothing = (): undefined => undefined;
const hapi = { listener: createServer(), initialize: nothing, stop: nothing, table: nothing, match: nothing, events: {} };
const restify = { server: createServer(), router: { getRoutes: () => ({}) }, use: nothing, listen: nothing };
/** As itty-router makes it: whatever it is asked for adds a route, but for what it has of its own. */
const itty = Object.setPrototypeOf({ routes: [], fetch: nothing }, new Proxy({}, { get: () => nothing })) as Record<string, unknown>;

describe("an app is told from a factory that makes one", () => {
  const apps: readonly (readonly [string, unknown, (value: unknown) => boolean])[] = [
    ["Fastify", Fastify(), isFastify],
    ["Koa", koa, isKoa],
    ["NestJS", nest, isNest],
    ["http.Server", createServer(), isHttpServer],
    ["Hono", new Hono(), isFetchApp],
    ["polka", polka, hasHandler],
    ["hapi", hapi, isHapi],
    ["restify", restify, isRestify],
  ];
  test.each(apps)("%s is one, and of one kind", (name, app, isKind) => {
    expect(isApp(app)).toBe(true);
    expect(apps.filter(([, , each]) => each(app)).map(([kind]) => kind)).toEqual([name]);
    expect(isKind(app)).toBe(true);
  });

  test("functions: Express, a listener with fetch, Koa's callback", () => {
    expect(isApp(express())).toBe(true);
    expect(isApp(Object.assign(() => undefined, { fetch: () => undefined }))).toBe(true);
    const handleRequest = (_request: unknown, _response: unknown): void => undefined;
    expect(isApp(handleRequest)).toBe(true);
  });

  test("what has a method for every name is what its own say", () => {
    expect(isNest(itty)).toBe(true);
    expect(isApp(itty)).toBe(true);
    const own = withoutProxy(itty);
    expect(apps.map(([, , isKind]) => isKind).filter((isKind) => isKind(own))).toEqual([isFetchApp]);
    expect(isApp(new Proxy({}, { get: () => nothing }))).toBe(false);
    for (const [, app] of apps) expect(withoutProxy(app)).toBe(app);
  });

  test("anything else is not", () => {
    const makeApp = (_config: unknown, _context: unknown): void => undefined;
    for (const value of [makeApp, () => undefined, Array, {}, { fetch: 1 }, [], null, undefined, "app", 1, { callback: () => undefined }])
      expect(isApp(value)).toBe(false);
  });

  test("a server with a certificate of its own is known", () => {
    expect(isSecureServer({ setSecureContext: () => undefined, listen: () => undefined })).toBe(true);
    expect(isSecureServer(createServer())).toBe(false);
  });
});
