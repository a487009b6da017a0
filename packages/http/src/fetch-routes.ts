import type { IncomingMessage } from "node:http";
import type { Route } from "@tsserve/server";

/** What Hono, h3 and others list of a route. */
interface ListedRoute {
  readonly method?: unknown;
  readonly path?: unknown;
  readonly route?: unknown;
  readonly handler?: unknown;
}

interface HonoLike {
  readonly routes?: unknown;
  readonly _routes?: unknown;
  /** h3's, from 2.0.0 on. */
  readonly "~routes"?: unknown;
  readonly router?: { match?: (method: string, path: string) => unknown };
  getPath?: (request: Request) => string;
}

/** The routes that an app lists, each once, without its middleware. */
export function fetchRoutes(app: object): Route[] {
  const { routes, _routes, ["~routes"]: h3Routes } = app as HonoLike;
  if (isIttyTable(routes)) return routes.map(([method, , , path]) => ({ method, path: path || "/" }));
  const listed = [routes, _routes, h3Routes].find((each) => Array.isArray(each)) as readonly ListedRoute[] | undefined;
  const lines = new Map<string, Route>();
  for (const { method, path, route, handler } of listed ?? []) {
    const pattern = typeof path === "string" ? path : route;
    if (typeof pattern !== "string" || isMiddleware(handler)) continue;
    const line = { method: typeof method === "string" && method !== "" ? method.toUpperCase() : "ALL", path: pattern };
    lines.set(`${line.method} ${line.path}`, line);
  }
  return [...lines.values()];
}

/**
 * Hono's middleware takes a second argument, `next`, its handlers do not (`inspectRoutes` in hono/dev goes by the same). What a
 * mounted app's error handler was composed of stands in a field of the composition.
 */
function isMiddleware(handler: unknown): boolean {
  if (typeof handler !== "function") return false;
  const composed = (handler as { readonly __COMPOSED_HANDLER?: unknown }).__COMPOSED_HANDLER;
  return typeof composed === "function" ? isMiddleware(composed) : handler.length > 1;
}

/** Finds the pattern of the route that a request takes: Hono's own router is asked, which is quick. */
export function fetchPatterns(app: object): ((incoming: IncomingMessage) => string | undefined) | undefined {
  const { router } = app as HonoLike;
  const { _findRoute, ["~findRoute"]: findRoute = _findRoute } = app as {
    readonly _findRoute?: unknown;
    readonly ["~findRoute"]?: unknown;
  };
  if (isIttyTable((app as HonoLike).routes)) return ittyPattern((app as HonoLike).routes as IttyTable);
  if (typeof findRoute === "function") return h3Pattern(app, findRoute as FindH3Route);
  if (typeof router?.match !== "function") return yogaPattern(app);
  return (incoming) => {
    const path = pathInTarget(incoming.url ?? "/");
    const method = incoming.method === "HEAD" ? "GET" : (incoming.method ?? "GET");
    // Asked for anew each time: the router makes itself another one with the first request.
    return lastPattern(router.match?.(method, path));
  };
}

/** itty-router's: method (or `ALL`), what the path has to match, handlers, the path as it was written. */
type IttyTable = readonly (readonly [string, RegExp, unknown, string])[];

function isIttyTable(routes: unknown): routes is IttyTable {
  return (
    Array.isArray(routes) &&
    routes.length > 0 &&
    (routes as readonly unknown[]).every((each) => Array.isArray(each) && each[1] instanceof RegExp && typeof each[3] === "string")
  );
}

/** What takes each path is asked on the way, as middleware is. */
function ittyPattern(routes: IttyTable): (incoming: IncomingMessage) => string | undefined {
  return ({ method = "GET", url = "/" }) => {
    const path = pathInTarget(url);
    const taking = routes.filter(([of, pattern]) => (of === "ALL" || of === method) && pattern.test(path));
    const [, , , written] = taking.find(([, , , each]) => each !== "*") ?? taking[0] ?? [];
    return written === "" ? "/" : written;
  };
}

/** What h3 takes is an event, of which it reads the method and the path. */
type FindH3Route = (event: object) => { readonly data?: { readonly route?: unknown } } | undefined;

function h3Pattern(app: object, findRoute: FindH3Route): (incoming: IncomingMessage) => string | undefined {
  return (incoming) => {
    const event = { req: { method: incoming.method }, url: { pathname: pathInTarget(incoming.url ?? "/") } };
    const route = findRoute.call(app, event)?.data?.route;
    return typeof route === "string" ? route : undefined;
  };
}

/** GraphQL Yoga has one route. */
export function yogaPattern(app: object): ((incoming: IncomingMessage) => string | undefined) | undefined {
  const { graphqlEndpoint: endpoint, getEnveloped } = app as { readonly graphqlEndpoint?: unknown; readonly getEnveloped?: unknown };
  if (typeof endpoint !== "string" || typeof getEnveloped !== "function") return undefined;
  return (incoming) => (pathInTarget(incoming.url ?? "/") === endpoint ? endpoint : undefined);
}

/** The path of a request's target, in either form. */
export function pathInTarget(url: string): string {
  const start = url.startsWith("/") ? 0 : Math.max(0, url.indexOf("/", url.indexOf("://") + 3));
  return url.slice(start).split(/[?#]/, 1)[0] ?? "/";
}

/** `[[[handler, route], parameters], …]` (hono/router): the last that is no middleware answers. */
function lastPattern(result: unknown): string | undefined {
  const matches: unknown = Array.isArray(result) ? result[0] : undefined;
  if (!Array.isArray(matches)) return undefined;
  for (const match of [...(matches as unknown[])].reverse()) {
    const found: unknown = Array.isArray(match) ? match[0] : undefined;
    const [handler, route] = (Array.isArray(found) ? found : []) as [unknown, ListedRoute | undefined];
    if (typeof route?.path === "string" && !isMiddleware(handler)) return route.path;
  }
  return undefined;
}
