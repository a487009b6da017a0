import type { IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import { expressPatterns, expressRoutes, trustFirstHop } from "./express-routes.ts";

/** What is used of Express, which brings no types. */
interface ExpressApp {
  use(...values: unknown[]): ExpressApp;
  get(name: string, listener?: () => void): unknown;
  all(path: string, listener: () => void): unknown;
  delete(path: string, listener: () => void): unknown;
  set(name: string, value: unknown): ExpressApp;
  route(path: string): { get(listener: () => void): { post(listener: () => void): unknown } };
}

const express = createRequire(import.meta.url)("express") as (() => ExpressApp) & { Router(options?: object): ExpressApp };

const answer = (): void => undefined;

/** A message as Express leaves it: with the route that took it, and what was left of the path to it. */
function taken(route: unknown, baseUrl: string): IncomingMessage {
  return { route, baseUrl } as unknown as IncomingMessage;
}

/** A layer of Express 4, as its `Layer` makes one of what was written (path-to-regexp 0.1). */
function layerOf4(source: string, keys: readonly string[], below: object): object {
  return { regexp: Object.assign(new RegExp(source, "i"), { fast_slash: false }), keys: keys.map((name) => ({ name })), handle: below };
}

const routeOf = (path: unknown, methods: Record<string, boolean> = { get: true }): { route: { path: unknown; methods: object } } => ({
  route: { path, methods },
});

describe("routes of Express", () => {
  test("5: those of mounted routers in full, each method, middleware left out", () => {
    const app = express();
    const api = express.Router();
    const users = express.Router({ mergeParams: true });
    app.use(answer);
    app.get("/", answer);
    app.route("/both").get(answer).post(answer);
    app.all("/all", answer);
    users.get("/:id", answer);
    users.delete("/", answer);
    api.use("/users/:org", users);
    app.use("/api/v1", api);
    expect(expressRoutes(app).map(({ method, path }) => `${method} ${path}`)).toEqual([
      "GET /",
      "GET /both",
      "POST /both",
      "ALL /all",
      "GET /api/v1/users/:org/:id",
      "DELETE /api/v1/users/:org",
    ]);
  });

  test.each([
    ["^\\/api\\/?(?=\\/|$)", [], "/api"],
    ["^\\/api\\/v1\\/?(?=\\/|$)", [], "/api/v1"],
    ["^\\/of\\/(?:([^\\/]+?))\\/?(?=\\/|$)", ["group"], "/of/:group"],
    ["^\\/(?:([^\\/]+?))\\/in\\/(?:([^\\/]+?))\\/?(?=\\/|$)", ["a", "b"], "/:a/in/:b"],
    ["^\\/a\\.b\\-c\\/?(?=\\/|$)", [], "/a.b-c"],
  ] as const)("4: %s was %s%s", (source, keys, mount) => {
    const app = { _router: { stack: [layerOf4(source, keys, { stack: [routeOf("/x")] })] } };
    expect(expressRoutes(app)).toEqual([{ method: "GET", path: `${mount}/x` }]);
  });

  test("4: an app without a route, whose router can't be asked for", () => {
    const app = {
      get router(): never {
        throw new Error("'app.router' is deprecated!");
      },
    };
    expect(expressRoutes(app)).toEqual([]);
  });

  test("a router that is mounted in itself does not go on for ever", () => {
    const router: { stack: object[] } = { stack: [routeOf("/x")] };
    router.stack.push(layerOf4("^\\/a\\/?(?=\\/|$)", [], router));
    expect(expressRoutes({ _router: router }).length).toBeLessThan(30);
  });
});

describe("the pattern of the route that a request took", () => {
  test("is that of its mounts, not what stood in the path", () => {
    const mounted = routeOf("/:id");
    const app = { _router: { stack: [layerOf4("^\\/of\\/(?:([^\\/]+?))\\/?(?=\\/|$)", ["group"], { stack: [mounted] })] } };
    const find = expressPatterns(app);
    expect(find(taken(mounted.route, "/of/7"))).toBe("/of/:group/:id");
    expect(find(taken(undefined, ""))).toBeUndefined();
  });

  test("of a router that is mounted twice is that of the mount that fits", () => {
    const mounted = routeOf("/x");
    const below = { stack: [mounted] };
    const app = {
      _router: { stack: [layerOf4("^\\/a\\/?(?=\\/|$)", [], below), layerOf4("^\\/b\\/(?:([^\\/]+?))\\/?(?=\\/|$)", ["n"], below)] },
    };
    const find = expressPatterns(app);
    expect(find(taken(mounted.route, "/a"))).toBe("/a/x");
    expect(find(taken(mounted.route, "/b/7"))).toBe("/b/:n/x");
  });

  test("is found for routes that are added later", () => {
    const app: { _router: { stack: object[] } } = { _router: { stack: [] } };
    const find = expressPatterns(app);
    const late = routeOf("/late");
    app._router.stack.push(late);
    expect(find(taken(late.route, ""))).toBe("/late");
  });

  test("of a router called by hand has so many values at most", () => {
    const find = expressPatterns({ _router: { stack: [] } });
    const { route } = routeOf("/x");
    const patterns = new Set(Array.from({ length: 500 }, (_, n) => find(taken(route, `/raw/${n}`))));
    expect(patterns.size).toBeLessThanOrEqual(51);
    expect(patterns).toContain("*/x");
  });
});

test("what the app says about proxies itself is left as it is", () => {
  const believing = { header: "x-forwarded-for", from: ["loopback"], count: undefined };
  const app = express();
  trustFirstHop(app, { ...believing, from: [] });
  expect(app.get("trust proxy")).toBe(false);
  trustFirstHop(app, believing);
  const trust = app.get("trust proxy fn") as (address: string, hop: number) => boolean;
  expect([trust("8.8.8.8", 0), trust("8.8.8.8", 1)]).toEqual([true, false]);
  const own = express().set("trust proxy", 2);
  trustFirstHop(own, believing);
  expect(own.get("trust proxy")).toBe(2);
});
