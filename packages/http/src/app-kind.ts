import { Server, type RequestListener } from "node:http";
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

/**
 * Whether it is an app, where it could be a factory that makes one. A plain function (request, response) can't be told from a
 * factory (config, context): it has to be what a factory gives.
 */
export function isApp(value: unknown): boolean {
  if (typeof value !== "function")
    return isFastify(value) || isNest(value) || isKoa(value) || isHttpServer(value) || isFetchApp(value) || hasHandler(value);
  const { fetch, name, length } = value as unknown as Record<string, unknown>;
  // GraphQL Yoga and others that are both a listener and `{ fetch }`; what Koa's `callback()` gives.
  return isConnect(value) || typeof fetch === "function" || (name === "handleRequest" && length === 2);
}

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
