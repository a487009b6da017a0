import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { wrongApp, type TsserveError } from "@tsserve/config";
import type { Listener } from "@tsserve/listener";
import { failureReports, type Route } from "@tsserve/server";
import type { Logger } from "pino";
import {
  hasHandler,
  isConnect,
  isFetchApp,
  isHapi,
  isHttpServer,
  isKoa,
  isNest,
  isRestify,
  isSecureServer,
  withoutProxy,
  type HandlerLike,
  type HapiLike,
  type KoaLike,
  type NestLike,
  type RestifyLike,
} from "./app-kind.ts";
import { catchRejections } from "./express-rejections.ts";
import { expressPatterns, expressRoutes, trustFirstHop } from "./express-routes.ts";
import { openFastify } from "./fastify-app.ts";
import { isFastify, type FastifyLike } from "./fastify-like.ts";
import { fetchListener, type FetchApp } from "./fetch-app.ts";
import { fetchPatterns, fetchRoutes, yogaPattern } from "./fetch-routes.ts";
import { followFailures } from "./framework-failures.ts";
import { guardListener } from "./guard-listener.ts";
import { openHapi } from "./hapi-app.ts";
import { requestKey, type TrackedMessage } from "./http-request.ts";
import type { IdReading } from "./request-id.ts";
import { refusalWithHttp2, refusalWithoutHttp2 } from "./http2/refuse-app.ts";
import { koaListener, koaRoutes } from "./koa-app.ts";
import { openNest } from "./nest-app.ts";
import { followNestFailures } from "./nest-failures.ts";
import { restifyPattern, restifyRoutes } from "./restify-app.ts";
import type { HttpSettings } from "./settings.ts";

/** What the server does with an app, whichever kind it is. */
export interface HttpApp {
  /** The server that parses requests; it does not listen yet. */
  readonly server: Server;
  /** Whether the app answers `GET /health` itself. */
  readonly ownsHealth: boolean;
  /** Whether the app refuses bodies that are too large itself. */
  readonly limitsBodies: boolean;
  readonly readsIdsFrom: IdReading;
  readonly routes: readonly Route[];
  /** Makes `server` listen in the place of the first listener. */
  listen(listener: Listener): Promise<void>;
  /** Runs the app's own closing hooks; nothing is served any more. */
  close(): Promise<void>;
}

/** An app for `tsserve/http`. */
export type HttpAppInput = FastifyLike | RequestListener | Server | KoaLike | NestLike | HapiLike | RestifyLike | FetchApp | HandlerLike;

const kinds =
  "tsserve/http serves a Fastify instance, a function (request, response), an object with fetch(request), a Koa or NestJS app, a hapi or restify server, or an http.Server";

/**
 * Tells what kind of app it is, and readies it.
 *
 * @throws {TsserveError} when it is none that this server can run
 */
export async function openApp(given: unknown, { proxies, http2 }: Pick<HttpSettings, "proxies" | "http2">, log: Logger): Promise<HttpApp> {
  const app = withoutProxy(given);
  const refusal = http2.isOn ? refusalWithHttp2(app) : refusalWithoutHttp2(app);
  if (refusal !== undefined) throw refusal;
  if (isFastify(app)) return openFastify(app, log);
  if (isNest(app)) {
    if (failureReports().isWanted) followNestFailures();
    return openNest(app, log, (server, framework) => {
      readyExpress(framework, proxies);
      return serverApp(server, expressRoutes(framework), expressPatterns(framework));
    });
  }
  if (isHapi(app)) return openHapi(app, log, serverApp);
  if (isRestify(app)) return serverApp(app.server, restifyRoutes(app), restifyPattern);
  if (isKoa(app)) {
    const listener = koaListener(app, log, proxies);
    if (failureReports().isWanted) followFailures(app);
    return listenerApp(listener, "the app", log, koaRoutes(app));
  }
  if (isSecureServer(app)) throw hasOwnCertificate();
  if (isHttpServer(app)) {
    // An Express app inside, with sockets of others beside it, is served as one that is given by itself.
    const listener = app.listeners("request").find(isConnect);
    if (listener === undefined) return serverApp(app, []);
    readyExpress(listener, proxies);
    return serverApp(app, expressRoutes(listener), expressPatterns(listener));
  }
  if (typeof app === "function") {
    readyExpress(app, proxies);
    return listenerApp(app as RequestListener, "the app", log, expressRoutes(app), yogaPattern(app) ?? expressPatterns(app));
  }
  if (failureReports().isWanted) followFailures(app);
  if (isFetchApp(app)) return plainApp(noting(fetchListener(app, log), fetchPatterns(app)), fetchRoutes(app));
  if (hasHandler(app)) return listenerApp((request, response) => app.handler(request, response), "the app", log, []);
  throw wrongApp(describe(app), kinds);
}

function readyExpress(app: object, proxies: HttpSettings["proxies"]): void {
  if (failureReports().isWanted) followFailures(app);
  trustFirstHop(app, proxies);
  catchRejections(app);
}

function listenerApp(handle: RequestListener, owner: string, log: Logger, routes: readonly Route[], find?: FindRoute): HttpApp {
  return plainApp(noting(guardListener(handle, owner, log), find), routes);
}

function plainApp(handle: RequestListener, routes: readonly Route[]): HttpApp {
  return serverApp(createServer(handle), routes);
}

function hasOwnCertificate(): TsserveError {
  return wrongApp("a server with a certificate of its own", "give an http.Server, or what listens to its requests");
}

/** @throws {TsserveError} when it listens already, or has a certificate of its own */
function serverApp(server: Server, routes: readonly Route[], find?: FindRoute): HttpApp {
  if (isSecureServer(server)) throw hasOwnCertificate();
  if (server.listening) throw wrongApp("an http.Server that listens already", "leave that to tsserve");
  if (find !== undefined) server.prependListener("request", (incoming) => note(incoming, find));
  return {
    server,
    limitsBodies: false,
    readsIdsFrom: "headers",
    ownsHealth: routes.some(({ method, path }) => path === "/health" && (method === "GET" || method === "ALL")),
    routes,
    listen: (listener) => listener.listen(server),
    close: () => Promise.resolve(),
  };
}

type FindRoute = (incoming: IncomingMessage) => string | undefined;

/** Leaves with each request how its route's pattern is found, should somebody ask. */
function noting(handle: RequestListener, find: FindRoute | undefined): RequestListener {
  if (find === undefined) return handle;
  return (incoming, response) => {
    note(incoming, find);
    handle(incoming, response);
  };
}

function note(incoming: IncomingMessage, find: FindRoute): void {
  const tracked = (incoming as TrackedMessage)[requestKey];
  if (tracked !== undefined) tracked.findRoute = find;
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return `${value} (does it return the app?)`;
  if (typeof value !== "object") return `a ${typeof value}`;
  const keys = Object.keys(value).slice(0, 5);
  return keys.length === 0 ? "an object" : `an object with ${keys.join(", ")}`;
}
