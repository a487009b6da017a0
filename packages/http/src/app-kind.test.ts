import { createServer } from "node:http";
import { createRequire } from "node:module";
import Fastify from "fastify";
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import { hasHandler, isApp, isFetchApp, isHttpServer, isKoa, isNest, isSecureServer } from "./app-kind.ts";
import { isFastify } from "./fastify-like.ts";

const express = createRequire(import.meta.url)("express") as () => unknown;

const koa = { callback: () => () => undefined, middleware: [], context: {}, listenerCount: () => 0, on: () => undefined };
const nest = { init: async () => undefined, getHttpAdapter: () => undefined, getHttpServer: () => undefined, close: async () => undefined };
const polka = { handler: () => undefined, listen: () => undefined, use: () => undefined };

describe("an app is told from a factory that makes one", () => {
  const apps: readonly (readonly [string, unknown, (value: unknown) => boolean])[] = [
    ["Fastify", Fastify(), isFastify],
    ["Koa", koa, isKoa],
    ["NestJS", nest, isNest],
    ["http.Server", createServer(), isHttpServer],
    ["Hono", new Hono(), isFetchApp],
    ["polka", polka, hasHandler],
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
