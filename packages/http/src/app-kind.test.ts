import { createServer } from "node:http";
import { createRequire } from "node:module";
import Fastify from "fastify";
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import {
  hasHandler,
  isApp,
  isConnect,
  isFetchApp,
  isHapi,
  isHttpServer,
  isKoa,
  isNest,
  isRestify,
  isSecureServer,
  withoutProxy,
} from "./app-kind.ts";
import { isFastify } from "./fastify-like.ts";

const require = createRequire(import.meta.url);
const express = require("express") as () => unknown;
const express4 = require("express4") as () => unknown;

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
    for (const make of [express, express4]) expect(isApp(make())).toBe(true);
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

  test("an app may throw where it is asked for what it has no more", () => {
    const kinds = [...apps.map(([, , isKind]) => isKind), isSecureServer, isConnect];
    const thrower = new Proxy(
      {},
      {
        get: () => {
          throw new Error("gone");
        },
      },
    );
    for (const value of [thrower, express4()])
      expect(kinds.filter((isKind) => isKind(value))).toEqual(value === thrower ? [] : [isConnect]);
    expect(isApp(thrower)).toBe(false);
    expect(withoutProxy(thrower)).toBe(thrower);
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
