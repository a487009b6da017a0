import { subscribe } from "node:diagnostics_channel";
import type { Route } from "@tsserve/server";
import type { FastifyInstance } from "fastify";
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
  app.addHook("onRoute", (route) => {
    for (const method of [route.method].flat()) routes.push({ method, path: route.url });
    const pattern = route.url;
    const note = (request: { raw: unknown }, _reply: unknown, done: () => void): void => {
      const tracked = (request.raw as TrackedMessage)[requestKey];
      if (tracked !== undefined) tracked.route = pattern;
      done();
    };
    route.onRequest = [note, ...[route.onRequest ?? []].flat()];
  });
}
