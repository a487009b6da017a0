import type * as Api from "@opentelemetry/api";
import type { RequestTrace } from "@tsserve/server";
import type { OpenTracing } from "./open-tracing.ts";
import { spanContextOf } from "./span-of-request.ts";

const kinds = { internal: 0, server: 1, consumer: 4 } as const;
const errorStatus = 2;

/**
 * Tells the provider that the app has registered of the requests: it samples, it sends, and it is the app's to end. The span
 * of a request has the id that the provider gives it.
 */
export function foreignTracing(api: typeof Api): OpenTracing {
  const tracer = api.trace.getTracer("tsserve");
  const spans = new WeakMap<RequestTrace, Api.Span>();
  return {
    records: () => true,
    run: (trace, handle) => {
      const span = tracer.startSpan("request", { kind: kinds.server }, parentOf(api, trace));
      spans.set(trace, span);
      return api.context.with(api.trace.setSpan(api.context.active(), span), handle);
    },
    leave: () => undefined,
    record: ({ name, trace, endedAt, attributes, failure }) => {
      const span = spans.get(trace);
      if (span === undefined) return;
      span.updateName(name);
      span.setAttributes({ ...attributes });
      if (failure !== undefined) span.setStatus({ code: errorStatus, message: failure });
      span.end(performance.timeOrigin + endedAt);
    },
    close: () => Promise.resolve(),
  };
}

function parentOf(api: typeof Api, { traceId, parentId, sampled }: RequestTrace): Api.Context {
  if (parentId === undefined) return api.ROOT_CONTEXT;
  const context = { ...spanContextOf({ traceId, spanId: parentId }, sampled === true), isRemote: true };
  return api.trace.setSpanContext(api.ROOT_CONTEXT, context);
}
