import type { IncomingHttpHeaders } from "node:http";
import { isTraceId, newSpanId, newTraceId, readTraceparent, type RequestTrace } from "@tsserve/server";

/**
 * The trace of a request: W3C's `traceparent` (w3.org/TR/trace-context, version 00), else baseplate's
 * `X-Trace` and `X-Span`, else a new one. The span of a `traceparent` is the caller's, so that of the
 * request is new.
 */
export function traceOf(headers: IncomingHttpHeaders): RequestTrace {
  const parent = headers["traceparent"];
  const w3c = typeof parent === "string" ? readTraceparent(parent) : undefined;
  if (w3c !== undefined) return { traceId: w3c.traceId, spanId: newSpanId(), parentId: w3c.parentId, sampled: w3c.sampled };
  const [trace, span, above, sampled] = [headers["x-trace"], headers["x-span"], headers["x-parent"], headers["x-sampled"]];
  if (isTraceId(trace) && isTraceId(span)) {
    return {
      traceId: trace,
      spanId: span,
      parentId: isTraceId(above) ? above : undefined,
      sampled: sampled === undefined ? undefined : sampled === "1",
    };
  }
  return newTrace();
}

function newTrace(): RequestTrace {
  return { traceId: newTraceId(), spanId: newSpanId(), isNew: true };
}

/** The same from the headers as they came: `headers`, which Node makes when it is asked for, is left alone, and so it costs less. */
export function traceOfRaw(rawHeaders: readonly string[]): RequestTrace {
  let found: Record<string, string> | undefined;
  for (let n = 0; n < rawHeaders.length; n += 2) {
    const name = rawHeaders[n] as string;
    const first = name.charCodeAt(0) | 0x20;
    if ((first !== letterT && first !== letterX) || name.length > longestName) continue;
    const lower = name.toLowerCase();
    if (!names.has(lower)) continue;
    const value = rawHeaders[n + 1] as string;
    found ??= {};
    found[lower] = found[lower] === undefined ? value : `${found[lower]}, ${value}`;
  }
  return found === undefined ? newTrace() : traceOf(found);
}

const letterT = 0x74;
const letterX = 0x78;
const names: ReadonlySet<string> = new Set(["traceparent", "x-trace", "x-span", "x-parent", "x-sampled"]);
const longestName = 11;
