import type { IncomingHttpHeaders } from "node:http";
import { isTraceId, newSpanId, newTraceId, type RequestTrace } from "@tsserve/server";

/**
 * The trace of a request: W3C's `traceparent` (w3.org/TR/trace-context, version 00), else baseplate's
 * `X-Trace` and `X-Span`, else a new one. The span of a `traceparent` is the caller's, so that of the
 * request is new.
 */
export function traceOf(headers: IncomingHttpHeaders): RequestTrace {
  const parent = headers["traceparent"];
  const w3c = typeof parent === "string" ? traceparent.exec(parent) : null;
  if (w3c !== null) {
    const [, traceId = "", parentId, flags = "00"] = w3c;
    return { traceId, spanId: newSpanId(), parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
  }
  const [trace, span, above, sampled] = [headers["x-trace"], headers["x-span"], headers["x-parent"], headers["x-sampled"]];
  if (isTraceId(trace) && isTraceId(span)) {
    return {
      traceId: trace,
      spanId: span,
      parentId: isTraceId(above) ? above : undefined,
      sampled: sampled === undefined ? undefined : sampled === "1",
    };
  }
  return { traceId: newTraceId(), spanId: newSpanId() };
}

// Version ff is forbidden, and ids of zeros are none (sections 3.2.2.1, 3.2.2.3 and 3.2.2.4).
const traceparent = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/;
