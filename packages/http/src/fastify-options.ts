import { createRequire } from "node:module";
import type { FastifyBaseLogger, FastifyHttpOptions, FastifyRequest, LogController } from "fastify";
import type { ServerConfig } from "@tsserve/server";
import type { Server } from "node:http";
import type { Bindings, ChildLoggerOptions, Logger } from "pino";
import { newRequestId, requestKey, type TrackedMessage } from "./http-request.ts";
import { makeRequestLog, type RequestLog } from "./request-log.ts";
import { httpSettings } from "./settings.ts";
import { trustedProxies } from "./trusted-proxies.ts";

/** The loggers that were given out, by the function that Fastify gets in their place. */
const logs = new WeakMap<object, Logger>();

/** The logger of an instance that was made with `fastifyOptions`. */
export function logGivenTo(childLoggerFactory: object): Logger | undefined {
  return logs.get(childLoggerFactory);
}

/**
 * What a `[server:…]` section says, ready for `Fastify(…)`.
 *
 * The logger is not among them as `loggerInstance`: with one, Fastify makes a child and two listeners
 * for each request, for its own lines about requests, which the access log replaces. `request.log` comes
 * from the child factory, and `app.log` from `watchFastify`.
 *
 * @throws {ConfigurationError}
 */
export function fastifyOptions(config: ServerConfig, log: Logger): FastifyHttpOptions<Server> {
  const settings = httpSettings(config);
  const trusts = trustedProxies(settings.trustedProxies);
  const childLoggerFactory = (_parent: FastifyBaseLogger, bindings: Bindings, options: ChildLoggerOptions, message: unknown): RequestLog =>
    makeRequestLog(log, bindings, options, message as TrackedMessage);
  logs.set(childLoggerFactory, log);
  return {
    childLoggerFactory: childLoggerFactory as never,
    ...quietRequests(),
    // One id for the access log's line, `request.id` and `request.log`.
    genReqId: (message) => (message as TrackedMessage)[requestKey]?.id ?? newRequestId(),
    ...(settings.trustedProxies.length === 0 ? {} : { trustProxy: (address: string) => trusts(address) }),
    bodyLimit: settings.clientMaxBytes,
    keepAliveTimeout: settings.keepAliveTimeoutMs,
    requestTimeout: settings.requestTimeoutMs,
    http: { headersTimeout: settings.headerTimeoutMs },
    return503OnClosing: false,
  };
}

/** The access log has a line for each request; Fastify's own two would double it. Its errors stay. */
function quietRequests(): Pick<FastifyHttpOptions<Server>, "logController" | "disableRequestLogging"> {
  const { LogController: Base } = createRequire(import.meta.url)("fastify") as {
    LogController?: new (options?: { requestIdLogLabel?: string }) => LogController;
  };
  if (Base === undefined) return { disableRequestLogging: true };
  class ErrorsOnly extends Base {
    constructor() {
      super({ requestIdLogLabel: "req_id" });
    }
    /** Called for each request once its route is known. */
    override incomingRequest(request: FastifyRequest): void {
      const tracked = (request.raw as TrackedMessage)[requestKey];
      if (tracked !== undefined) tracked.fastify = request;
    }
    override requestCompleted(): void {}
    override routeNotFound(): void {}
  }
  return { logController: new ErrorsOnly() };
}
