import type { IncomingMessage } from "node:http";
import type { Bindings, ChildLoggerOptions, Logger, LogFn } from "pino";
import type { ChildLoggerFactory, FastifyRequestLike } from "./fastify-like.ts";
import { requestKey, type TrackedMessage } from "./http-request.ts";
import { traceOf } from "./trace.ts";

const levels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** What a request's logger has to know of the request: Fastify's own, or what there is of it before that is made. */
export interface LoggedRequest {
  readonly id: string;
  readonly raw: IncomingMessage;
  readonly routeOptions: { readonly logLevel?: unknown; readonly logSerializers?: unknown };
}

/**
 * The logger of one request. It becomes a pino child, with the request's id and trace, only when
 * something is logged: most requests log nothing, and a child costs as much as a tenth of a request.
 */
export class RequestLog {
  // `private` rather than `#`: one of these is made for each request, and `#` fields cost more to make.
  private readonly parent: Logger;
  private readonly request: LoggedRequest;
  private logger: Logger | undefined = undefined;

  constructor(parent: Logger, request: LoggedRequest) {
    this.parent = parent;
    this.request = request;
  }

  made(): Logger {
    if (this.logger !== undefined) return this.logger;
    const { id, raw, routeOptions } = this.request;
    const { traceId, spanId } = (raw as TrackedMessage)[requestKey]?.trace ?? traceOf(raw.headers);
    const { logLevel, logSerializers } = routeOptions;
    const options: ChildLoggerOptions = {
      ...(typeof logLevel !== "string" || logLevel === "" ? {} : { level: logLevel }),
      ...(typeof logSerializers !== "object" || logSerializers === null
        ? {}
        : { serializers: logSerializers as NonNullable<ChildLoggerOptions["serializers"]> }),
    };
    this.logger = this.parent.child({ req_id: id, trace_id: traceId, span_id: spanId }, options);
    return this.logger;
  }

  child(bindings: Bindings, options?: ChildLoggerOptions): Logger {
    return this.made().child(bindings, options);
  }

  bindings(): Bindings {
    return this.made().bindings();
  }

  isLevelEnabled(level: string): boolean {
    return this.made().isLevelEnabled(level);
  }

  get level(): string {
    return this.made().level;
  }

  set level(level: string) {
    this.made().level = level;
  }
}

for (const level of levels) {
  Object.defineProperty(RequestLog.prototype, level, {
    value: function log(this: RequestLog, ...values: Parameters<LogFn>): void {
      this.made()[level](...values);
    },
  });
}

type Info = (...values: unknown[]) => void;

/**
 * Before 5.10 Fastify writes its lines about requests straight to the request's logger. The first one tells which request it is;
 * the access log replaces it and the others, but for errors; a client's fault is no news.
 */
class EarlierRequestLog extends RequestLog {
  info(...values: unknown[]): void {
    const [fields, message] = values;
    if (typeof fields === "string" && /^Route \S+ not found$/.test(fields)) return;
    if (typeof fields === "object" && fields !== null) {
      const { req, res, err } = fields as { readonly req?: FastifyRequestLike; readonly res?: unknown; readonly err?: unknown };
      if (message === "incoming request" && req !== undefined) {
        const tracked = (req.raw as TrackedMessage)[requestKey];
        if (tracked !== undefined) tracked.fastify = req;
        return;
      }
      if (message === "request completed" && res !== undefined) return;
      if (res !== undefined && err !== undefined) {
        (this.made().debug as Info)(...values);
        return;
      }
    }
    (this.made().info as Info)(...values);
  }
}

/** Gives each request of an instance before 5.10 its logger. */
export function childLoggerFactory(log: Logger): ChildLoggerFactory {
  return (_logger, bindings, { level, serializers }, raw) => {
    // The one that Fastify has made, or found in a header that the app named.
    const [made] = Object.values(bindings);
    const id = typeof made === "string" ? made : ((raw as TrackedMessage)[requestKey]?.id ?? "");
    return new EarlierRequestLog(log, { id, raw, routeOptions: { logLevel: level, logSerializers: serializers } });
  };
}
