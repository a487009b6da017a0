import type { IncomingMessage, Server } from "node:http";
import { readField } from "@tsserve/config";
import { failureReports, type Route } from "@tsserve/server";
import type { Logger } from "pino";
import type { HapiLike } from "./app-kind.ts";
import { pathInTarget } from "./fetch-routes.ts";
import { tellFailure } from "./framework-failures.ts";
import { logFailure } from "./guard-listener.ts";
import type { HttpApp } from "./http-app.ts";

/** Opens the listener of a hapi server; `find` gives the pattern of the route that a request takes. */
type OpenServer = (server: Server, routes: readonly Route[], find: (incoming: IncomingMessage) => string | undefined) => HttpApp;

/**
 * A hapi server, which is made ready here (its caches, what listens to `onPreStart`), and stopped when all is answered (`onPreStop`,
 * `onPostStop`). The errors that it answers with a 500, of which it says nothing itself, are logged.
 */
export async function openHapi(app: HapiLike, log: Logger, openServer: OpenServer): Promise<HttpApp> {
  const routes = app.table().map(({ method, path }) => ({ method: method === "*" ? "ALL" : method.toUpperCase(), path }));
  // Before hapi is ready: what listens already is refused without that.
  const opened = openServer(app.listener, routes, (incoming) => patternOf(app, incoming));
  app.events.on({ name: "request", channels: "error" }, ({ raw: { req } }, { error }) => {
    logFailure(req, "the app", error, log);
    if (failureReports().isWanted) tellFailure(req, error, "the app");
  });
  if (!isReady(app)) await app.initialize();
  return { ...opened, close: async () => void (await app.stop()) };
}

/** hapi has no public word for it, and refuses to be made ready twice (hapi/lib/core.js, `_initialize`). */
function isReady(app: HapiLike): boolean {
  return readField(readField(app, "_core"), "phase") === "initialized";
}

/** A route for each path, such as `/{path*}`, is that of whatever no other route takes. */
function patternOf(app: HapiLike, { method = "GET", url = "/" }: IncomingMessage): string | undefined {
  try {
    return app.match(method === "HEAD" ? "get" : method.toLowerCase(), pathInTarget(url))?.path;
  } catch {
    // hapi throws at a path with bad escapes, which it then answers with a 400.
    return undefined;
  }
}
