import type { Logger } from "pino";
import { routeOf, type HttpRequest } from "./http-request.ts";
import { clientAddress, type TrustProxy } from "./trusted-proxies.ts";

/** Logs one line for each request when its response has ended; health probes at debug level. */
export function accessLog(log: Logger, trusts: TrustProxy): (request: HttpRequest, endedAt: number) => void {
  return (request, endedAt) => {
    if (request.isProbe && !log.isLevelEnabled("debug")) return;
    const { incoming, response, trace } = request;
    // Headers that never left mean that the client went away, whatever status was about to be sent.
    const aborted = response?.writableFinished !== true;
    log[request.isProbe ? "debug" : "info"](
      {
        req_id: request.id,
        trace_id: trace.traceId,
        span_id: trace.spanId,
        method: incoming.method,
        route: routeOf(request),
        path: incoming.url?.split("?", 1)[0],
        status: response?.headersSent === true ? response.statusCode : undefined,
        duration_ms: Math.round((endedAt - request.startedAt) * 1000) / 1000,
        client: clientAddress(incoming, trusts),
        aborted: aborted || undefined,
      },
      aborted ? "request aborted" : "request completed",
    );
  };
}
