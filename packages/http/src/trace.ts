import { randomBytes } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

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
  const w3c = typeof parent === "string" ? /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(parent) : null;
  if (w3c?.[1] !== undefined) return { traceId: w3c[1], spanId: newId(8) };
  const [trace, span] = [headers["x-trace"], headers["x-span"]];
  if (isId(trace) && isId(span)) return { traceId: trace, spanId: span };
  return { traceId: newId(16), spanId: newId(8) };
}

/** Ids of others end up in logs: short ones of harmless characters only. */
function isId(text: unknown): text is string {
  return typeof text === "string" && /^[0-9A-Za-z-]{1,64}$/.test(text);
}

function newId(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}
