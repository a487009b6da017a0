import { createRequire } from "node:module";
import type { FastifyHttpOptions, LogController } from "fastify";
import type { ServerConfig } from "@tsserve/server";
import type { Server } from "node:http";
import type { Bindings, ChildLoggerOptions, Logger } from "pino";
import { newRequestId, requestKey, type TrackedMessage } from "./http-request.ts";
import { makeRequestLog, type RequestLog } from "./request-log.ts";
import { httpSettings } from "./settings.ts";
import { trustedProxies } from "./trusted-proxies.ts";

/**
 * What a `[server:…]` section says, ready for `Fastify(…)`.
 *
 * @throws {ConfigurationError}
 */
export function fastifyOptions(config: ServerConfig, log: Logger): FastifyHttpOptions<Server> {
  const settings = httpSettings(config);
  const trusts = trustedProxies(settings.trustedProxies);
  const factory = (parent: Logger, bindings: Bindings, options: ChildLoggerOptions, message: TrackedMessage): RequestLog =>
    makeRequestLog(parent, bindings, options, message);
  return {
    loggerInstance: log,
    childLoggerFactory: factory as never,
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
  const { LogController: Base } = createRequire(import.meta.url)("fastify") as { LogController?: new (options?: { requestIdLogLabel?: string }) => LogController };
  if (Base === undefined) return { disableRequestLogging: true };
  class ErrorsOnly extends Base {
    constructor() {
      super({ requestIdLogLabel: "req_id" });
    }
    override incomingRequest(): void {}
    override requestCompleted(): void {}
    override routeNotFound(): void {}
  }
  return { logController: new ErrorsOnly() };
}
