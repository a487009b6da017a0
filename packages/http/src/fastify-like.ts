import type { IncomingMessage, Server } from "node:http";

/** What we use of a Fastify instance, the same from 4.29 on: an app brings a copy and a version of its own. */
export interface FastifyLike {
  readonly server: Server;
  readonly initialConfig: object;
  log: object;
  ready(): PromiseLike<unknown>;
  listen(options: object): Promise<string>;
  close(): PromiseLike<unknown>;
  hasRoute(route: { method: string; url: string }): boolean;
  addHook(name: "onRoute", hook: (route: FastifyRoute) => void): unknown;
  addHook(
    name: "onError",
    hook: (this: object, request: FastifyRequestLike, reply: FastifyReplyLike, error: unknown, done: () => void) => void,
  ): unknown;
  decorateRequest(name: symbol, decoration: { readonly getter: () => unknown }): unknown;
  setChildLoggerFactory(factory: ChildLoggerFactory): unknown;
}

/** A route as it is announced to hooks. */
export interface FastifyRoute {
  readonly method: string | readonly string[];
  readonly url: string;
  onRequest?: unknown;
}

/** A request of any version. */
export interface FastifyRequestLike {
  readonly id: string;
  readonly raw: IncomingMessage;
  readonly routeOptions: { readonly url?: string | undefined; readonly logLevel?: unknown; readonly logSerializers?: unknown };
  log: object;
}

export interface FastifyReplyLike {
  readonly statusCode: number;
  log: object;
}

/** `context` is what Fastify calls the level and the serializers of the route. */
export type ChildLoggerFactory = (
  logger: object,
  bindings: Readonly<Record<string, unknown>>,
  context: { readonly level?: string; readonly serializers?: object },
  raw: IncomingMessage,
) => object;

/** What writes Fastify's own lines about requests, from 5.10 on. */
export interface LogControllerLike {
  isLogDisabled?(request: object): boolean;
  incomingRequest(request: FastifyRequestLike, reply: FastifyReplyLike, metadata?: object): void;
  requestCompleted?(...args: unknown[]): void;
  routeNotFound?(...args: unknown[]): void;
  defaultErrorLog?(error: Error, request: FastifyRequestLike, reply: FastifyReplyLike, metadata?: object): void;
}

/** By its methods: nothing asks whether it is of our copy. */
export function isFastify(app: unknown): app is FastifyLike {
  return typeof app === "object" && app !== null && "ready" in app && "routing" in app && "server" in app && "addHook" in app;
}

/** What an instance keeps under a symbol of its copy of Fastify: known by the symbol's description (lib/symbols.js). */
export function privateOf(app: object, description: string): unknown {
  const key = Object.getOwnPropertySymbols(app).find((each) => each.description === description);
  return key === undefined ? undefined : (app as Record<symbol, unknown>)[key];
}
