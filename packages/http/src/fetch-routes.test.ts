import type { IncomingMessage } from "node:http";
import { Hono } from "hono";
import { describe, expect, test } from "vitest";
import { fetchPatterns, fetchRoutes } from "./fetch-routes.ts";

function hono(): Hono {
  const app = new Hono();
  const sub = new Hono();
  app.use("*", async (_context, next) => await next());
  app.use("/api/*", async (_context, next) => await next());
  sub.onError((_error, context) => context.text("own"));
  sub.get("/users/:id", (context) => context.text("user"));
  app.get("/", (context) => context.text("home"));
  app.get("/", (context) => context.text("never"));
  app.all("/all", (context) => context.text("all"));
  app.route("/api", sub);
  return app;
}

const asked = (method: string, url: string): IncomingMessage => ({ method, url }) as IncomingMessage;

describe("routes of Hono", () => {
  test("each once, without middleware", () => {
    expect(fetchRoutes(hono())).toEqual([
      { method: "GET", path: "/" },
      { method: "ALL", path: "/all" },
      { method: "GET", path: "/api/users/:id" },
    ]);
  });

  test.each([
    ["GET", "/", "/"],
    ["GET", "/?a=/api/users/7", "/"],
    ["HEAD", "/api/users/7", "/api/users/:id"],
    ["GET", "/api/users/7?x", "/api/users/:id"],
    ["GET", "http://example.org/api/users/7", "/api/users/:id"],
    ["PUT", "/all", "/all"],
    ["GET", "/nope", undefined],
    ["POST", "/api/users/7", undefined],
  ])("%s %s takes %s", async (method, url, pattern) => {
    const app = hono();
    const find = fetchPatterns(app);
    // Before and after Hono has made itself the router that it uses for good.
    expect(find?.(asked(method, url))).toBe(pattern);
    await app.request("/");
    expect(find?.(asked(method, url))).toBe(pattern);
  });
});

test("h3's are found by itself", () => {
  const app = {
    _routes: [
      { method: "", route: "/any" },
      { method: "GET", route: "/items/:id" },
    ],
    _findRoute: ({ req, url }: { req: { method: string }; url: { pathname: string } }) =>
      req.method === "GET" && url.pathname.startsWith("/items/") ? { data: { route: "/items/:id" } } : undefined,
  };
  expect(fetchRoutes(app)).toEqual([
    { method: "ALL", path: "/any" },
    { method: "GET", path: "/items/:id" },
  ]);
  expect(fetchPatterns(app)?.(asked("GET", "/items/7?x=1"))).toBe("/items/:id");
  expect(fetchPatterns(app)?.(asked("GET", "/other"))).toBeUndefined();
});

test("itty-router's are a table: middleware takes each path", () => {
  const handlers = [(): undefined => undefined];
  const routes = [
    ["ALL", /^(?<x>.*)$/, handlers, "*"],
    ["GET", /^\/?$/, handlers, ""],
    ["GET", /^\/items\/(?<id>[^/]+)\/?$/, handlers, "/items/:id"],
    ["ALL", /^\/items\/(?<id>[^/]+)\/?$/, handlers, "/items/:any"],
  ];
  expect(fetchRoutes({ routes })).toEqual([
    { method: "ALL", path: "*" },
    { method: "GET", path: "/" },
    { method: "GET", path: "/items/:id" },
    { method: "ALL", path: "/items/:any" },
  ]);
  const find = fetchPatterns({ routes });
  for (const [method, url, pattern] of [
    ["GET", "/", "/"],
    ["GET", "/items/7?x=1", "/items/:id"],
    ["POST", "http://host/items/7", "/items/:any"],
    ["PUT", "/other", "*"],
  ] as const)
    expect(find?.(asked(method, url))).toBe(pattern);
});

test("what lists nothing has no routes", () => {
  expect(fetchRoutes({ fetch: () => undefined })).toEqual([]);
  expect(fetchPatterns({ fetch: () => undefined })).toBeUndefined();
});
