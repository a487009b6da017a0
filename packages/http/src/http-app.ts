import { createServer, type RequestListener, type Server } from "node:http";
import type { Listener } from "@tsserve/listener";
import { wrongApp } from "@tsserve/config";
import type { Route } from "@tsserve/server";
import type { Logger } from "pino";
import { openFastify } from "./fastify-app.ts";
import { isFastify, type FastifyLike } from "./fastify-like.ts";
import { fetchListener, type FetchApp } from "./fetch-app.ts";
import { guardListener } from "./guard-listener.ts";

/** What the server does with an app, whichever kind it is. */
export interface HttpApp {
  /** The server that parses requests; it does not listen yet. */
  readonly server: Server;
  /** Whether the app answers `GET /health` itself. */
  readonly ownsHealth: boolean;
  /** Whether the app refuses bodies that are too large itself. */
  readonly limitsBodies: boolean;
  readonly routes: readonly Route[];
  /** Makes `server` listen in the place of the first listener. */
  listen(listener: Listener): Promise<void>;
  /** Runs the app's own closing hooks; nothing is served any more. */
  close(): Promise<void>;
}

/** An app for `tsserve/http`: a Fastify instance, a Node request listener, or `{ fetch }`. */
export type HttpAppInput = FastifyLike | RequestListener | FetchApp;

/**
 * Tells what kind of app it is, and readies it.
 *
 * @throws {TsserveError} when it is none that this server can run
 */
export async function openApp(app: unknown, log: Logger): Promise<HttpApp> {
  if (isFastify(app)) return openFastify(app);
  if (typeof app === "function") return plainApp(guardListener(app as RequestListener, "the app", log), expressRoutes(app));
  if (isFetchApp(app)) return plainApp(fetchListener(app, log), honoRoutes(app));
  throw wrongApp(describe(app), "tsserve/http serves a Fastify instance, a function (request, response), or an object with fetch(request)");
}

function isFetchApp(app: unknown): app is FetchApp {
  return typeof app === "object" && app !== null && typeof (app as { fetch?: unknown }).fetch === "function";
}

function plainApp(handle: RequestListener, routes: readonly Route[]): HttpApp {
  const server = createServer(handle);
  return {
    server,
    limitsBodies: false,
    ownsHealth: routes.some(({ method, path }) => path === "/health" && (method === "GET" || method === "ALL")),
    routes,
    listen: (listener) => listener.listen(server),
    close: () => Promise.resolve(),
  };
}

interface ExpressLayer {
  readonly route?: { readonly path?: unknown; readonly methods?: Readonly<Record<string, boolean>> };
}

/** The routes that an Express app (4: `_router`, 5: `router`) has at its top. */
function expressRoutes(app: object): Route[] {
  const { router, _router } = app as { router?: { stack?: ExpressLayer[] }; _router?: { stack?: ExpressLayer[] } };
  const stack = _router?.stack ?? router?.stack ?? [];
  return stack.flatMap(({ route }) =>
    Object.keys(route?.methods ?? {}).map((method) => ({
      method: method === "_all" ? "ALL" : method.toUpperCase(),
      path: String(route?.path),
    })),
  );
}

/** Hono lists its routes; middleware counts as a route for all methods there. */
function honoRoutes(app: object): Route[] {
  const { routes } = app as { routes?: unknown };
  if (!Array.isArray(routes)) return [];
  return (routes as { method?: unknown; path?: unknown }[]).map(({ method, path }) => ({ method: String(method), path: String(path) }));
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return `${value} (does it return the app?)`;
  if (typeof value !== "object") return `a ${typeof value}`;
  const keys = Object.keys(value).slice(0, 5);
  return keys.length === 0 ? "an object" : `an object with ${keys.join(", ")}`;
}
