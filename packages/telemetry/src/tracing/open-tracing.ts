import type * as Api from "@opentelemetry/api";
import { traceScope, type RequestSpan, type RequestTrace, type Tracing } from "@tsserve/server";
import type { Logger } from "pino";
import type { TracingSettings } from "../settings.ts";
import { RequestContextManager } from "./context-manager.ts";
import { foreignTracing } from "./foreign-tracing.ts";
import { isApiLoaded, loadApi, loadOpenTelemetry } from "./load-opentelemetry.ts";
import { propagateToFetch } from "./propagate-to-fetch.ts";
import { quietExporter } from "./quiet-exporter.ts";
import { spanContextOf, spanOfRequest } from "./span-of-request.ts";
import { makeSampler } from "./trace-ids.ts";
import { processWallTime } from "./wall-time.ts";

/** Tracing that has to be ended. */
export interface OpenTracing extends Tracing {
  /** Sends what has not been sent. Who calls it bounds how long that is waited for. */
  close(): Promise<void>;
}

export interface TracingParts {
  readonly settings: TracingSettings;
  /** The folder of the INI file: the app's packages are found from here. */
  readonly folder: string;
  readonly log: Logger;
  /** What is said of this process: `service.instance.id` and the like. */
  readonly resource: Readonly<Record<string, string | number>>;
  /** Hides the secrets of the configuration in a text. */
  readonly mask: (text: string) => string;
  /**
   * Whether all that runs is run in its context from the beginning, also what is not recorded, as if somebody had asked: where the
   * cost of that is nobody's. Default: false
   */
  readonly keepsContext?: boolean;
}

/** Spans that wait to be sent; what comes beyond is dropped. */
const queuedSpans = 2048;
const exportTimeoutMs = 5000;

/**
 * Begins to trace. Where the app has registered a provider of its own, that is used, and nothing is added to it; so this is
 * to be called when the app is made.
 *
 * @throws {ConfigurationError} when a package is not installed
 */
export function openTracing({ settings, folder, log, resource, mask, keepsContext = false }: TracingParts): OpenTracing {
  const foreign = isProviderRegistered() ? loadApi(folder) : undefined;
  if (foreign !== undefined) {
    log.debug("the app has registered a tracer provider of its own: spans go there");
    return foreignTracing(foreign, mask);
  }
  // Whoever has loaded the API means to ask which request it is.
  const isApiInUse = isApiLoaded();
  const { api, sdk, exporter, resourceOf, propagator } = loadOpenTelemetry(folder);
  const described = resourceOf({ "service.name": settings.serviceName, ...resource });
  const sender = new exporter.OTLPTraceExporter({
    url: `${settings.endpoint}/v1/traces`,
    headers: { ...settings.headers },
    timeoutMillis: exportTimeoutMs,
  });
  const processor = new sdk.BatchSpanProcessor(
    quietExporter(sender, log, () => performance.now()),
    { maxQueueSize: queuedSpans, exportTimeoutMillis: exportTimeoutMs },
  );
  const provider = new sdk.BasicTracerProvider({
    resource: described,
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(settings.sample) }),
    spanProcessors: [processor],
  });
  const contexts = new RequestContextManager(api.ROOT_CONTEXT);
  if (isApiInUse || keepsContext) contexts.want();
  api.context.setGlobalContextManager(contexts);
  const getTracer = provider.getTracer.bind(provider);
  provider.getTracer = (...of) => {
    contexts.want();
    return getTracer(...of);
  };
  api.trace.setGlobalTracerProvider(provider);
  api.propagation.setGlobalPropagator(propagator());
  const activeSpan = (): Api.SpanContext | undefined => {
    contexts.want();
    return api.trace.getSpanContext(contexts.active());
  };
  const endPropagation = propagateToFetch(() => traceparentOf(activeSpan()));
  const timeOf = processWallTime();
  const isChosen = makeSampler(settings.sample);
  const records = ({ traceId, sampled, isNew }: RequestTrace): boolean => sampled ?? isChosen(traceId, isNew);
  const scope = traceScope();
  scope.decide = records;
  scope.active = () => {
    const span = activeSpan();
    return span === undefined ? undefined : { traceId: span.traceId, spanId: span.spanId, sampled: (span.traceFlags & 1) === 1 };
  };
  const contextOf = (trace: RequestTrace, isRecorded: boolean): Api.Context =>
    api.trace.setSpanContext(api.ROOT_CONTEXT, spanContextOf(trace, isRecorded));
  return {
    records,
    run: (trace, handle) => {
      const isRecorded = records(trace);
      return isRecorded || contexts.isWanted ? contexts.enter(trace, contextOf(trace, isRecorded), handle) : handle();
    },
    leave: (trace) => contexts.leave(trace),
    // The timer that is set to send spans is not the request's own.
    record: (span) => contexts.outside(() => processor.onEnd(spanOfRequest(withoutSecrets(span, mask), described, timeOf))),
    close: async () => {
      endPropagation();
      await provider.shutdown();
    },
  };
}

/** Why something failed often says what it failed with. */
function withoutSecrets(span: RequestSpan, mask: (text: string) => string): RequestSpan {
  return span.failure === undefined ? span : { ...span, failure: mask(span.failure) };
}

function traceparentOf(context: Api.SpanContext | undefined): string | undefined {
  if (context === undefined) return undefined;
  return `00-${context.traceId}-${context.spanId}-${(context.traceFlags & 1) === 1 ? "01" : "00"}`;
}

/**
 * Whether somebody has registered a tracer provider, with whichever copy of the API: all of one major version share this
 * object (github.com/open-telemetry/opentelemetry-js/blob/main/api/src/internal/global-utils.ts).
 */
function isProviderRegistered(): boolean {
  const shared = (globalThis as Record<symbol, { readonly trace?: unknown } | undefined>)[Symbol.for("opentelemetry.js.api.1")];
  return shared?.trace !== undefined;
}
