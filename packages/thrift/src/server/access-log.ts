import type { Logger } from "pino";
import type { Outcome } from "./outcome.ts";
import type { ThriftRequest } from "./thrift-request.ts";

/** Logs one line for each request when it is over; health probes at debug level. */
export function accessLog(log: Logger): (request: ThriftRequest, outcome: Outcome) => void {
  return (request, { success, exceptionType, statusCode }) => {
    const isProbe = request.bound.isProbe === true;
    if (isProbe && !log.isLevelEnabled("debug")) return;
    const { traceId, spanId } = request.trace;
    log[isProbe ? "debug" : "info"](
      {
        trace_id: traceId,
        span_id: spanId,
        method: request.method,
        success,
        exception_type: exceptionType || undefined,
        status_code: statusCode || undefined,
        duration_ms: Math.round((performance.now() - request.startedAt) * 1000) / 1000,
        client: request.client,
      },
      "request completed",
    );
  };
}
