/**
 * What is told to the outside of a request. `openTracing` gives a `Tracing` for the server's context: the server owns the span
 * of a request and tells of it when it is over; whether it is recorded is decided before anything is made for it.
 */
export { openTracing } from "./tracing/open-tracing.ts";
export { openSentry } from "./sentry/open-sentry.ts";
export { sentrySettings, tracingSettings } from "./settings.ts";

export type { OpenTracing, TracingParts } from "./tracing/open-tracing.ts";
export type { OpenSentry, SentryParts } from "./sentry/open-sentry.ts";
export type { SentrySettings, TracingSettings } from "./settings.ts";
