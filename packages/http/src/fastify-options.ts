import { createRequire } from "node:module";
import type { FastifyBaseLogger, FastifyHttpOptions, FastifyInstance, FastifyReply, FastifyRequest, LogController } from "fastify";
import type { ServerConfig } from "@tsserve/server";
import type { Server } from "node:http";
import type { Logger } from "pino";
import { newRequestId, requestKey, type TrackedMessage } from "./http-request.ts";
import { RequestLog } from "./request-log.ts";
import { httpSettings } from "./settings.ts";
import { trustedProxies } from "./trusted-proxies.ts";

/** The loggers that were given out, by the log controller that hands them on. */
const logs = new WeakMap<object, Logger>();

/** The logger of an instance that was made with `fastifyOptions`: Fastify keeps the log controller under a symbol of its own. */
export function logGivenTo(app: FastifyInstance): Logger | undefined {
  const key = Object.getOwnPropertySymbols(app).find(({ description }) => description === "fastify.logController");
  const controller = key === undefined ? undefined : (app as unknown as Record<symbol, object>)[key];
  return controller === undefined ? undefined : logs.get(controller);
}

/**
 * What a `[server:…]` section says, ready for `Fastify(…)`.
 *
 * The logger is not among them as `loggerInstance`: with one, Fastify makes a child and two listeners
 * for each request, for its own lines about requests, which the access log replaces. Nor is there a
 * `childLoggerFactory`, whose result Fastify examines each time. `request.log` comes from the log
 * controller, and `app.log` from `watchFastify`.
 *
 * @throws {ConfigurationError}
 */
export function fastifyOptions(config: ServerConfig, log: Logger): FastifyHttpOptions<Server> {
  const settings = httpSettings(config);
  const trusts = trustedProxies(settings.trustedProxies);
  const logController = lazyLogs(log);
  logs.set(logController, log);
  return {
    // One id for the access log's line, `request.id` and `request.log`.
    genReqId: (message) => (message as TrackedMessage)[requestKey]?.id ?? newRequestId(),
    logController,
    ...(settings.trustedProxies.length === 0 ? {} : { trustProxy: (address: string) => trusts(address) }),
    bodyLimit: settings.clientMaxBytes,
    keepAliveTimeout: settings.keepAliveTimeoutMs,
    requestTimeout: settings.requestTimeoutMs,
    http: { headersTimeout: settings.headerTimeoutMs },
    return503OnClosing: false,
  };
}

/** Gives each request its logger. The access log has a line for each; Fastify's own two would double it. Its errors stay. */
function lazyLogs(log: Logger): LogController {
  const { LogController: Base } = createRequire(import.meta.url)("fastify") as { LogController: new () => LogController };
  class LazyLogs extends Base {
    /** Called for each request once its route is known. */
    override incomingRequest(request: FastifyRequest, reply: FastifyReply): void {
      const tracked = (request.raw as TrackedMessage)[requestKey];
      if (tracked !== undefined) tracked.fastify = request;
      // A logger of the app's own has a level, Fastify's stand-in for none has not.
      if (request.log.level !== undefined) return;
      const requestLog = new RequestLog(log, request) as unknown as FastifyBaseLogger;
      request.log = requestLog;
      reply.log = requestLog;
    }
    override requestCompleted(): void {}
    override routeNotFound(): void {}
  }
  return new LazyLogs();
}
