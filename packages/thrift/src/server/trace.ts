import { isTraceId, newSpanId, newTraceId } from "@tsserve/server";
import type { Headers } from "../wire/header-blocks.ts";

/** The trace that a request belongs to. */
export interface Trace {
  readonly traceId: string;
  /** The span of this request. */
  readonly spanId: string;
  /** The caller's span, where there is one. */
  readonly parentId: string | undefined;
  readonly sampled: boolean | undefined;
  readonly flags: string | undefined;
}

/**
 * The trace of a request: W3C's `traceparent` (w3.org/TR/trace-context, version 00), else baseplate's `Trace`, with
 * `Parent` (else `Span`), `Sampled` and `Flags` (a flag that is no integer of 64 bits discards the trace), else a
 * new one. The span of this request is always new, as in baseplate.
 */
export function traceOf(header: (name: string) => string | undefined): Trace {
  const w3c = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/.exec(header("traceparent") ?? "");
  if (w3c !== null) {
    const [, traceId = "", parentId, flags = "00"] = w3c;
    return { traceId, spanId: newSpanId(), parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1, flags: undefined };
  }
  const [trace, parent, flags] = [header("Trace"), header("Parent") ?? header("Span"), header("Flags")];
  if (isTraceId(trace) && isFlags(flags)) {
    return {
      traceId: trace,
      spanId: newSpanId(),
      parentId: isTraceId(parent) ? parent : undefined,
      sampled: header("Sampled") === "1",
      flags,
    };
  }
  return { traceId: newTraceId(), spanId: newSpanId(), parentId: undefined, sampled: undefined, flags: undefined };
}

/** Finds a header whatever its case. */
export function findHeader(headers: Headers, name: string): string | undefined {
  const exact = headers.get(name);
  if (exact !== undefined || headers.size === 0) return exact;
  const wanted = name.toLowerCase();
  for (const [each, value] of headers) if (each.length === wanted.length && each.toLowerCase() === wanted) return value;
  return undefined;
}

function isFlags(text: string | undefined): boolean {
  return text === undefined || (/^\d{1,20}$/.test(text) && BigInt(text) < 2n ** 64n);
}
