import type { IncomingMessage } from "node:http";
import type { Route } from "@tsserve/server";
import type { RestifyLike } from "./app-kind.ts";

interface RestifyRoute {
  readonly method?: unknown;
  readonly path?: unknown;
}

/** The routes of a restify server, by what its router lists. */
export function restifyRoutes({ router }: RestifyLike): Route[] {
  const routes = Object.values(router.getRoutes()) as readonly RestifyRoute[];
  return routes.map(({ method, path }) => ({ method: String(method), path: String(path) }));
}

/** The route that a request took, which restify leaves on it. */
export function restifyPattern(incoming: IncomingMessage & { readonly route?: RestifyRoute }): string | undefined {
  const path = incoming.route?.path;
  return typeof path === "string" ? path : undefined;
}
