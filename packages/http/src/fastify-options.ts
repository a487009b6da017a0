import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions } from "node:http";
import { timerMs, type ServerConfig } from "@tsserve/server";
import type { Logger } from "pino";
import { believesProxies } from "./client.ts";
import { privateOf, type FastifyLike } from "./fastify-like.ts";
import { newRequestId, requestKey, type TrackedMessage } from "./http-request.ts";
import { httpSettings } from "./settings.ts";

/** Under which the logger stands in the options: copies of them, as `{ ...fastifyOptions, … }`, keep it. */
const logKey = Symbol.for("tsserve.fastifyOptions.log");

/** The logger of an instance that was made with `fastifyOptions`. */
export function logGivenTo(app: FastifyLike): Logger | undefined {
  const options = privateOf(app, "fastify.options") as { readonly [logKey]?: Logger } | undefined;
  return options?.[logKey];
}

/** Options that every version of Fastify from 4.29 on takes. */
export interface FastifyOptions {
  readonly genReqId: (message: IncomingMessage) => string;
  readonly trustProxy?: (address: string, hop: number) => boolean;
  readonly bodyLimit: number;
  readonly keepAliveTimeout: number;
  readonly requestTimeout: number;
  readonly http: { readonly headersTimeout: number; readonly requestTimeout: number };
  readonly return503OnClosing: boolean;
}

/**
 * What a `[server:…]` section says, ready for `Fastify(…)`, whichever version and copy of it the app has.
 *
 * The logger is not among them by a name of Fastify's: 4 calls it `logger`, 5 `loggerInstance`, from 5.10 on a `logController`
 * decides, which must be of the app's own copy; and with any of them Fastify makes a child and two listeners for each
 * request, for its own lines about requests, which the access log replaces. `app.log` and `request.log` are set when the instance
 * announces itself (`watchFastify`).
 *
 * @throws {ConfigurationError}
 */
export function fastifyOptions(config: ServerConfig, log: Logger): FastifyOptions {
  const settings = httpSettings(config);
  const requestTimeout = timerMs(settings.requestTimeoutMs);
  const options: FastifyOptions = {
    // One id for the access log's line, `request.id` and `request.log`.
    genReqId: (message) => (message as TrackedMessage)[requestKey]?.id ?? newRequestId(),
    // Whom a header of forwarding comes from has been seen to (`client.ts`): there is one address in it, the client's.
    ...(believesProxies(settings.proxies) ? { trustProxy: (_address: string, hop: number) => hop === 0 } : {}),
    bodyLimit: settings.clientMaxBytes,
    keepAliveTimeout: timerMs(settings.keepAliveTimeoutMs),
    requestTimeout,
    // Node takes no more for the head than for the whole, which is five minutes where it is not told at once.
    http: { headersTimeout: timerMs(settings.headerTimeoutMs), requestTimeout },
    return503OnClosing: false,
  };
  return Object.assign(options, settings.http2.isOn ? forBothProtocols : {}, { [logKey]: log });
}

/**
 * For an instance that answers requests of HTTP/2 and of HTTP/1: it knows of both by its option, and what it calls its server takes
 * those of HTTP/2 as events, too. They are no part of `FastifyOptions`: with them, Fastify's types know of HTTP/2's messages alone.
 */
const forBothProtocols = {
  http2: true,
  serverFactory: (handle: RequestListener, { http }: { readonly http?: ServerOptions } = {}): Server => createServer(http ?? {}, handle),
};
