import type * as Api from "@opentelemetry/api";
import type { RequestTrace } from "@tsserve/server";
import type { OpenTracing } from "./open-tracing.ts";
import { spanContextOf } from "./span-of-request.ts";
import { processWallTime } from "./wall-time.ts";

const kinds = { internal: 0, server: 1, consumer: 4 } as const;
const errorStatus = 2;

/**
 * Tells the provider that the app has registered of the requests: it samples, it sends, and it is the app's to end. The span
 * of a request has the id that the provider gives it.
 */
export function foreignTracing(api: typeof Api, mask: (text: string) => string): OpenTracing {
  const tracer = api.trace.getTracer("tsserve");
  const timeOf = processWallTime();
  const spans = new WeakMap<RequestTrace, Api.Span>();
  return {
    records: () => true,
    run: (trace, handle, kind = "server") => {
      const span = tracer.startSpan("request", { kind: kinds[kind] }, parentOf(api, trace));
      spans.set(trace, span);
      return api.context.with(api.trace.setSpan(api.context.active(), span), handle);
    },
    leave: () => undefined,
    record: ({ name, trace, endedAt, attributes, failure }) => {
      const span = spans.get(trace);
      if (span === undefined) return;
      span.updateName(name);
      span.setAttributes({ ...attributes });
      if (failure !== undefined) span.setStatus({ code: errorStatus, message: mask(failure) });
      span.end(timeOf(endedAt));
    },
    // Whether it is ended is the app's matter; but nobody else knows that the last spans have come.
    close: () => flushOf(api),
  };
}

/** Providers of OpenTelemetry's SDK, of every version, have `forceFlush`; the API hands them out behind a proxy. */
async function flushOf(api: typeof Api): Promise<void> {
  const found = api.trace.getTracerProvider() as { getDelegate?(): object };
  const provider = (found.getDelegate?.() ?? found) as { forceFlush?(): Promise<void> };
  await provider.forceFlush?.();
}

function parentOf(api: typeof Api, { traceId, parentId, sampled }: RequestTrace): Api.Context {
  if (parentId === undefined) return api.ROOT_CONTEXT;
  const context = { ...spanContextOf({ traceId, spanId: parentId }, sampled === true), isRemote: true };
  return api.trace.setSpanContext(api.ROOT_CONTEXT, context);
}
