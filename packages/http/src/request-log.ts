import type { FastifyRequest } from "fastify";
import type { Bindings, ChildLoggerOptions, Logger, LogFn } from "pino";
import { requestKey, type TrackedMessage } from "./http-request.ts";
import { traceOf } from "./trace.ts";

const levels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/**
 * The logger of one request. It becomes a pino child, with the request's id and trace, only when
 * something is logged: most requests log nothing, and a child costs as much as a tenth of a request.
 */
export class RequestLog {
  // `private` rather than `#`: one of these is made for each request, and `#` fields cost more to make.
  private readonly parent: Logger;
  private readonly request: FastifyRequest;
  private logger: Logger | undefined = undefined;

  constructor(parent: Logger, request: FastifyRequest) {
    this.parent = parent;
    this.request = request;
  }

  made(): Logger {
    if (this.logger !== undefined) return this.logger;
    const { id, raw, routeOptions } = this.request;
    const { traceId, spanId } = (raw as TrackedMessage)[requestKey]?.trace ?? traceOf(raw.headers);
    const { logLevel, logSerializers } = routeOptions as {
      readonly logLevel?: string;
      readonly logSerializers?: ChildLoggerOptions["serializers"];
    };
    const options: ChildLoggerOptions = {
      ...(logLevel === undefined || logLevel === "" ? {} : { level: logLevel }),
      ...(logSerializers === undefined || logSerializers === null ? {} : { serializers: logSerializers }),
    };
    this.logger = this.parent.child({ req_id: id, trace_id: traceId, span_id: spanId }, options);
    return this.logger;
  }

  child(bindings: Bindings, options?: ChildLoggerOptions): Logger {
    return this.made().child(bindings, options);
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
