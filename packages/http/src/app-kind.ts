import { Server, type IncomingMessage, type RequestListener } from "node:http";
import { isFastify } from "./fastify-like.ts";
import type { FetchApp } from "./fetch-app.ts";

/** A Koa app. */
export interface KoaLike {
  readonly middleware: unknown[];
  proxy?: boolean;
  callback(): RequestListener;
  listenerCount(event: string): number;
  on(event: "error", listener: (error: unknown, context?: unknown) => void): unknown;
}

/** A NestJS application, on either of its adapters. */
export interface NestLike {
  init(): Promise<unknown>;
  getHttpAdapter(): { getInstance(): unknown };
  getHttpServer(): unknown;
  close(): Promise<unknown>;
}

/** A hapi server. */
export interface HapiLike {
  readonly listener: Server;
  readonly events: {
    on(
      criteria: object,
      listener: (request: { readonly raw: { readonly req: IncomingMessage } }, event: { readonly error?: unknown }) => void,
    ): unknown;
  };
  initialize(): Promise<unknown>;
  stop(): Promise<unknown>;
  table(): readonly { readonly method: string; readonly path: string }[];
  match(method: string, path: string): { readonly path: string } | null;
}

/** A restify server. */
export interface RestifyLike {
  readonly server: Server;
  readonly router: { getRoutes(): object };
}

/** An app that has its request listener as `handler`: polka, tinyhttp. */
export interface HandlerLike {
  readonly handler: RequestListener;
}

/** By its methods, as all kinds: an app brings a copy of its framework of its own, of whichever version. */
export function isKoa(app: unknown): app is KoaLike {
  const { callback, middleware, context } = parts(app);
  return typeof callback === "function" && Array.isArray(middleware) && isObject(context);
}

export function isNest(app: unknown): app is NestLike {
  const { getHttpAdapter, getHttpServer, init } = parts(app);
  return [getHttpAdapter, getHttpServer, init].every((each) => typeof each === "function");
}

export function isHapi(app: unknown): app is HapiLike {
  const { listener, initialize, stop, table, match } = parts(app);
  return isObject(listener) && [initialize, stop, table, match].every((each) => typeof each === "function");
}

export function isRestify(app: unknown): app is RestifyLike {
  const { server, router, use, listen } = parts(app);
  return isObject(server) && typeof parts(router)["getRoutes"] === "function" && [use, listen].every((each) => typeof each === "function");
}

export function isHttpServer(app: unknown): app is Server {
  return app instanceof Server;
}

/** Of TLS, or of HTTP/2: they have a certificate of their own. */
export function isSecureServer(app: unknown): boolean {
  const { setSecureContext, listen } = parts(app);
  return typeof setSecureContext === "function" && typeof listen === "function";
}

export function isFetchApp(app: unknown): app is FetchApp {
  return isObject(app) && typeof parts(app)["fetch"] === "function";
}

export function hasHandler(app: unknown): app is HandlerLike {
  const { handler, listen, use } = parts(app);
  return isObject(app) && [handler, listen, use].every((each) => typeof each === "function");
}

/** A name that nobody gives to anything. */
const nobodysName = "tsserve: a name that nobody gives to anything";

/**
 * What kind of app it is can't be told by its methods where it has one for every name that it is asked for, as itty-router's router has
 * (`then` is one of them, so that whoever waits for it waits for ever): what it really has is its own.
 */
export function withoutProxy(app: unknown): unknown {
  return parts(app)[nobodysName] === undefined ? app : { ...(app as object) };
}

/**
 * Whether it is an app, where it could be a factory that makes one. A plain function (request, response) can't be told from a
 * factory (config, context): it has to be what a factory gives.
 */
export function isApp(given: unknown): boolean {
  const value = withoutProxy(given);
  if (typeof value !== "function") return objectKinds.some((isKind) => isKind(value));
  const { fetch, name, length } = value as unknown as Record<string, unknown>;
  // GraphQL Yoga and others that are both a listener and `{ fetch }`; what Koa's `callback()` gives.
  return isConnect(value) || typeof fetch === "function" || (name === "handleRequest" && length === 2);
}

const objectKinds: readonly ((value: unknown) => boolean)[] = [
  isFastify,
  isNest,
  isHapi,
  isRestify,
  isKoa,
  isHttpServer,
  isFetchApp,
  hasHandler,
];

/** A request listener that middleware is added to: Express and connect. */
export function isConnect(value: unknown): value is RequestListener {
  const { handle, use } = parts(value);
  return typeof value === "function" && typeof handle === "function" && typeof use === "function";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function parts(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) || typeof value === "function" ? (value as Record<string, unknown>) : {};
}
