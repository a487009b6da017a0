import type { IncomingHttpHeaders } from "node:http";
import { isTraceId, newSpanId, newTraceId } from "@tsserve/server";

/** The trace that a request belongs to. */
export interface Trace {
  readonly traceId: string;
  readonly spanId: string;
}

/**
 * The trace of a request: W3C's `traceparent` (w3.org/TR/trace-context, version 00), else baseplate's
 * `X-Trace` and `X-Span`, else a new one. The span of a `traceparent` is the caller's, so that of the
 * request is new.
 */
export function traceOf(headers: IncomingHttpHeaders): Trace {
  const parent = headers["traceparent"];
  // Version ff is forbidden, and ids of zeros are none (sections 3.2.2.1, 3.2.2.3 and 3.2.2.4).
  const w3c =
    typeof parent === "string" ? /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/.exec(parent) : null;
  if (w3c?.[1] !== undefined) return { traceId: w3c[1], spanId: newSpanId() };
  const [trace, span] = [headers["x-trace"], headers["x-span"]];
  if (isTraceId(trace) && isTraceId(span)) return { traceId: trace, spanId: span };
  return { traceId: newTraceId(), spanId: newSpanId() };
}
