import { Server, type IncomingMessage, type RequestListener } from "node:http";
import { readField } from "@tsserve/config";
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
  return hasMethods(app, "callback") && Array.isArray(readField(app, "middleware")) && isObject(readField(app, "context"));
}

export function isNest(app: unknown): app is NestLike {
  return hasMethods(app, "getHttpAdapter", "getHttpServer", "init");
}

export function isHapi(app: unknown): app is HapiLike {
  return isObject(readField(app, "listener")) && hasMethods(app, "initialize", "stop", "table", "match");
}

export function isRestify(app: unknown): app is RestifyLike {
  return isObject(readField(app, "server")) && hasMethods(app, "use", "listen") && hasMethods(readField(app, "router"), "getRoutes");
}

export function isHttpServer(app: unknown): app is Server {
  return app instanceof Server;
}

/** Of TLS, or of HTTP/2: they have a certificate of their own. */
export function isSecureServer(app: unknown): boolean {
  return hasMethods(app, "setSecureContext", "listen");
}

export function isFetchApp(app: unknown): app is FetchApp {
  return isObject(app) && hasMethods(app, "fetch");
}

export function hasHandler(app: unknown): app is HandlerLike {
  return isObject(app) && hasMethods(app, "handler", "listen", "use");
}

/** A name that nobody gives to anything. */
const nobodysName = "tsserve: a name that nobody gives to anything";

/**
 * What kind of app it is can't be told by its methods where it has one for every name that it is asked for, as itty-router's router has
 * (`then` is one of them, so that whoever waits for it waits for ever): what it really has is its own.
 */
export function withoutProxy(app: unknown): unknown {
  return readField(app, nobodysName) === undefined ? app : { ...(app as object) };
}

/**
 * Whether it is an app, where it could be a factory that makes one. A plain function (request, response) can't be told from a
 * factory (config, context): it has to be what a factory gives.
 */
export function isApp(given: unknown): boolean {
  const value = withoutProxy(given);
  if (typeof value !== "function") return objectKinds.some((isKind) => isKind(value));
  // GraphQL Yoga and others that are both a listener and `{ fetch }`; what Koa's `callback()` gives.
  return isConnect(value) || hasMethods(value, "fetch") || (readField(value, "name") === "handleRequest" && value.length === 2);
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
  return typeof value === "function" && hasMethods(value, "handle", "use");
}

/** An app may throw where it is asked for what it has no more, as Express 4 does for `router`. */
export function hasMethods(app: unknown, ...names: readonly string[]): boolean {
  return names.every((name) => typeof readField(app, name) === "function");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
