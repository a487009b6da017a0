import type { HrTime, SpanContext } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import type { RequestSpan, RequestTrace } from "@tsserve/server";
import { otelSpanId, otelTraceId } from "./trace-ids.ts";

// The numbers of OpenTelemetry's API: SpanKind, SpanStatusCode and TraceFlags.
const kinds = { internal: 0, server: 1, consumer: 4 } as const;
const statusCodes = { unset: 0, error: 2 } as const;
const recordedFlag = 1;

/** The context of a request's span, for what happens inside of it. */
export function spanContextOf({ traceId, spanId }: RequestTrace, isRecorded: boolean): SpanContext {
  return { traceId: otelTraceId(traceId), spanId: otelSpanId(spanId), traceFlags: isRecorded ? recordedFlag : 0 };
}

/**
 * A finished request as the exporter reads it: made once, when everything is known, without the cost of a span that changes.
 *
 * @param timeOf when it was by the wall clock, as `processWallTime` has it
 */
export function spanOfRequest(span: RequestSpan, resource: ReadableSpan["resource"], timeOf: (steadyMs: number) => number): ReadableSpan {
  const { name, kind, trace, startedAt, endedAt, attributes, failure } = span;
  const context = spanContextOf(trace, true);
  const parentSpanContext: SpanContext | undefined =
    trace.parentId === undefined
      ? undefined
      : { traceId: context.traceId, spanId: otelSpanId(trace.parentId), traceFlags: recordedFlag, isRemote: true };
  // Both by one look at the clocks: it may be set between two.
  const endTime = timeOf(endedAt);
  const lengthMs = Math.max(0, endedAt - startedAt);
  return {
    name,
    kind: kinds[kind],
    spanContext: () => context,
    ...(parentSpanContext === undefined ? {} : { parentSpanContext }),
    startTime: hrTimeOf(endTime - lengthMs),
    endTime: hrTimeOf(endTime),
    duration: hrTimeOf(lengthMs),
    status: failure === undefined ? { code: statusCodes.unset } : { code: statusCodes.error, message: failure },
    attributes,
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: { name: "tsserve" },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** In seconds and nanoseconds. */
function hrTimeOf(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
