import { newSpanId, traceScope, type TraceIds, type TraceScope } from "@tsserve/server";
import type { ThriftContext } from "../server/thrift-context.ts";
import type { ClientSettings } from "./options.ts";

/**
 * The headers of a call (baseplate's, and W3C's where the trace's id allows): those of the request that the
 * caller answers are passed on, and its trace, also where that request is none of Thrift's.
 *
 * @param budgetMs how long the caller waits
 */
export function outgoingHeaders(
  { wrapping, userAgent }: ClientSettings,
  request: ThriftContext | undefined,
  budgetMs: number,
  own: Readonly<Record<string, string>> | undefined,
  scope: TraceScope = traceScope(),
): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  if (wrapping !== "header") return headers;
  headers.set("Deadline-Budget", String(Math.ceil(budgetMs)));
  if (userAgent !== undefined) headers.set("User-Agent", userAgent);
  const trace = traceToPass(request, scope);
  if (trace !== undefined) passOn(headers, trace);
  if (request?.trace.flags !== undefined) headers.set("Flags", request.trace.flags);
  const edge = request?.header("Edge-Request");
  if (edge !== undefined) headers.set("Edge-Request", edge);
  for (const [name, value] of Object.entries(own ?? {})) headers.set(name, value);
  return headers;
}

/** The trace of the request that the caller answers, and in it the span that is nearest: one of the app's own, else the request's. */
function traceToPass(request: ThriftContext | undefined, scope: TraceScope): TraceIds | undefined {
  const current = scope.current();
  const trace = request?.trace;
  const ids = trace === undefined || current?.traceId === trace.traceId ? current : trace;
  return ids === undefined ? undefined : { ...ids, sampled: ids.sampled ?? scope.decide?.(ids) };
}

function passOn(headers: Map<string, string>, { traceId, spanId, sampled }: TraceIds): void {
  headers.set("Trace", traceId);
  headers.set("Parent", spanId);
  headers.set("Span", newSpanId());
  if (sampled !== undefined) headers.set("Sampled", sampled ? "1" : "0");
  if (/^[0-9a-f]{32}$/.test(traceId)) headers.set("traceparent", `00-${traceId}-${spanId}-${sampled === true ? "01" : "00"}`);
}
