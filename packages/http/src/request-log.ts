import type { Bindings, ChildLoggerOptions, Logger, LogFn } from "pino";
import { requestKey, type TrackedMessage } from "./http-request.ts";
import { traceOf } from "./trace.ts";

const levels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

type Level = (typeof levels)[number];

/** The part of a logger that Fastify asks of `request.log`. */
export interface RequestLog extends Record<Level | "silent", LogFn> {
  level: string;
  child(bindings: Bindings, options?: ChildLoggerOptions): Logger;
}

/**
 * A logger for one request that becomes a pino child, with the request's id and trace, only when
 * something is logged: most requests log nothing, and a child costs as much as a tenth of a request.
 */
class LazyRequestLog {
  // `private` rather than `#`: one of these is made for each request, and `#` fields cost more to make.
  private readonly parent: Logger;
  private readonly bindings: Bindings;
  private readonly options: ChildLoggerOptions;
  private readonly message: TrackedMessage;
  private logger: Logger | undefined = undefined;

  constructor(parent: Logger, bindings: Bindings, options: ChildLoggerOptions, message: TrackedMessage) {
    this.parent = parent;
    this.bindings = bindings;
    this.options = options;
    this.message = message;
  }

  made(): Logger {
    if (this.logger !== undefined) return this.logger;
    const { traceId, spanId } = this.message[requestKey]?.trace ?? traceOf(this.message.headers);
    this.logger = this.parent.child({ ...this.bindings, trace_id: traceId, span_id: spanId }, this.options);
    return this.logger;
  }

  child(bindings: Bindings, options?: ChildLoggerOptions): Logger {
    return this.made().child(bindings, options);
  }

  get level(): string {
    return this.logger?.level ?? this.options.level ?? this.parent.level;
  }

  set level(level: string) {
    this.made().level = level;
  }
}

for (const level of [...levels, "silent"] as const) {
  Object.defineProperty(LazyRequestLog.prototype, level, {
    value: function log(this: LazyRequestLog, ...values: Parameters<LogFn>): void {
      this.made()[level](...values);
    },
  });
}

export function makeRequestLog(parent: Logger, bindings: Bindings, options: ChildLoggerOptions, message: TrackedMessage): RequestLog {
  return new LazyRequestLog(parent, bindings, options, message) as unknown as RequestLog;
}
