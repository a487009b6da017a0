import { newSpanId, newTraceId, readTraceparent, type TraceIds } from "@tsserve/server";
import type { Headers, MessageTrace } from "./message.ts";

/** The trace of a message: W3C's `traceparent` of its headers (version 00), else a new one, which nobody has decided on. */
export function traceOf(headers: Headers): MessageTrace {
  const parent = readTraceparent(textOf(headers["traceparent"]) ?? "");
  if (parent === undefined)
    return { traceId: newTraceId(), spanId: newSpanId(), parentId: undefined, sampled: undefined, state: undefined };
  return { ...parent, spanId: newSpanId(), state: textOf(headers["tracestate"]) };
}

/**
 * The headers that carry a trace on. Their flags have no way to say that nobody has decided: where this process has not either, all after
 * it may record.
 */
export function traceHeaders({ traceId, spanId, sampled = true, state }: TraceIds): Record<string, string> {
  const parent = { traceparent: `00-${traceId}-${spanId}-${sampled ? "01" : "00"}` };
  return state === undefined ? parent : { ...parent, tracestate: state };
}

/** Some clients send the values of headers as bytes. */
function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : Buffer.isBuffer(value) ? value.toString("latin1") : undefined;
}
