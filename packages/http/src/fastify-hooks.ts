import { subscribe } from "node:diagnostics_channel";
import type { Route } from "@tsserve/server";
import type { FastifyInstance } from "fastify";
import { logGivenTo } from "./fastify-options.ts";
import { requestKey, type TrackedMessage } from "./http-request.ts";

const routesOf = new WeakMap<object, Route[]>();

let watching = false;

/**
 * From now on, notes the routes of every Fastify instance, and on each request which route it took.
 * Fastify announces its instances (diagnostics channel `fastify.initialization`, in its docs under
 * Hooks) before the app can touch them: later, hooks would miss the routes that are already there.
 */
export function watchFastify(): void {
  if (watching) return;
  watching = true;
  subscribe("fastify.initialization", (message) => noteRoutes((message as { fastify: FastifyInstance }).fastify));
}

/** The routes of an instance, in the order in which they were added. */
export function fastifyRoutes(app: FastifyInstance): readonly Route[] {
  return routesOf.get(app) ?? [];
}

function noteRoutes(app: FastifyInstance): void {
  const routes: Route[] = [];
  routesOf.set(app, routes);
  const log = logGivenTo(app);
  // Fastify's stand-in for no logger has no level.
  if (log !== undefined && app.log.level === undefined) app.log = log;
  app.addHook("onRoute", (route) => {
    for (const method of [route.method].flat()) routes.push({ method, path: route.url });
    if (log === undefined) route.onRequest = [noteRoute(route.url), ...[route.onRequest ?? []].flat()];
  });
}

/** For instances that were not made with `fastifyOptions`, which tell without a hook. */
function noteRoute(pattern: string): (request: { raw: unknown }, reply: unknown, done: () => void) => void {
  return (request, _reply, done) => {
    const tracked = (request.raw as TrackedMessage)[requestKey];
    if (tracked !== undefined) tracked.route = pattern;
    done();
  };
}
