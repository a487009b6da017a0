import type { FastifyRequestLike } from "./fastify-like.ts";

/** What Fastify keeps of a route, one object for all of its requests. */
type RouteContext = object;

/**
 * Finds the patterns of routes. Fastify makes an object of twelve fields of each request that is asked for its route
 * (`routeOptions` in github.com/fastify/fastify/blob/main/lib/request.js): it is asked once for each route, and is known again by what
 * the request keeps of the route under a symbol of Fastify's; of a version that keeps it otherwise, each request is asked.
 */
export function makePatternFinder(): (request: FastifyRequestLike) => string | undefined {
  const patterns = new Map<RouteContext, string | undefined>();
  let key: symbol | null | undefined;
  return (request) => {
    // The first request tells where it is: all of an instance are of one class.
    if (key === undefined) key = Object.getOwnPropertySymbols(request).find(({ description }) => description === "fastify.context") ?? null;
    const context = key === null ? undefined : (request as unknown as Readonly<Record<symbol, unknown>>)[key];
    if (typeof context !== "object" || context === null) return request.routeOptions.url;
    const known = patterns.get(context);
    if (known !== undefined) return known;
    const pattern = request.routeOptions.url;
    // Routes are made before there are requests, and are never so many; what an app makes for each request is not kept.
    if (pattern !== undefined && patterns.size < mostRoutes) patterns.set(context, pattern);
    return pattern;
  };
}

const mostRoutes = 10_000;
