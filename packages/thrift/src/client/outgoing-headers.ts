import { newSpanId } from "@tsserve/server";
import type { ThriftContext } from "../server/thrift-context.ts";
import type { ClientSettings } from "./options.ts";

/**
 * The headers of a call (baseplate's, and W3C's where the trace's id allows): those of the request that the
 * caller answers are passed on.
 *
 * @param budgetMs how long the caller waits
 */
export function outgoingHeaders(
  { wrapping, userAgent }: ClientSettings,
  request: ThriftContext | undefined,
  budgetMs: number,
  own: Readonly<Record<string, string>> | undefined,
): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  if (wrapping !== "header") return headers;
  headers.set("Deadline-Budget", String(Math.ceil(budgetMs)));
  if (userAgent !== undefined) headers.set("User-Agent", userAgent);
  if (request !== undefined) passOn(headers, request);
  for (const [name, value] of Object.entries(own ?? {})) headers.set(name, value);
  return headers;
}

function passOn(headers: Map<string, string>, request: ThriftContext): void {
  const { traceId, spanId, sampled, flags } = request.trace;
  headers.set("Trace", traceId);
  headers.set("Parent", spanId);
  headers.set("Span", newSpanId());
  if (sampled !== undefined) headers.set("Sampled", sampled ? "1" : "0");
  if (flags !== undefined) headers.set("Flags", flags);
  if (/^[0-9a-f]{32}$/.test(traceId)) headers.set("traceparent", `00-${traceId}-${spanId}-${sampled === true ? "01" : "00"}`);
  const edge = request.header("Edge-Request");
  if (edge !== undefined) headers.set("Edge-Request", edge);
}
