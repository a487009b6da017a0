/**
 * What a server is (`Server`, `ServerFactory`), what an app is handed (`AppContext`), and how the
 * two are run from start to exit (`runLifecycle`): steps that start in order and stop in reverse,
 * one place where every cause of a stop meets, one deadline, and typed events that logging is one
 * consumer of.
 */
export { ActiveRequest, ActiveRequests } from "./active-requests.ts";
export { Admission } from "./admission.ts";
export { Causes } from "./causes.ts";
export { afterReading, judgeAfter, systemClock, timerMs, wait, within } from "./clock.ts";
export { whenAborted } from "./when-aborted.ts";
export { Descriptors } from "./descriptors.ts";
export { exitCodeAfter, exitCodes, signalExitCode } from "./exit-codes.ts";
export { FailureReports, failureReports } from "./failure-reports.ts";
export { makeGuard, ownerOf } from "./guard.ts";
export { Health, parseProbe, probeNumbers } from "./health.ts";
export { findPeer } from "./find-peer.ts";
export { giveLineSink, lineSinkOf } from "./line-sink.ts";
export { both, gaugeActive } from "./request-observers.ts";
export { residentMemory } from "./resident-memory.ts";
export { requirePeer, resolvePeer } from "./resolve-peer.ts";
export { scanForIdle } from "./scan-for-idle.ts";
export { runLifecycle } from "./lifecycle.ts";
export { definitionKey, isGauge, latencyBuckets, Meter, seriesKey, sizeBuckets, sortedLabels } from "./meter.ts";
export { sentryDsn, sentrySpec } from "./sentry-settings.ts";
export { listenSpec } from "./listen-settings.ts";
export { metricsSpec } from "./metrics-settings.ts";
export { commonSettings, lifecycleSettings, workerCount } from "./settings.ts";
export { makeServerState, SERVER_STATE } from "./state.ts";
export { isThenable } from "./thenable.ts";
export { httpUrl, tracingSpec } from "./tracing-settings.ts";
export { TraceScope, traceScope } from "./trace-scope.ts";
export { isTraceId, newSpanId, newTraceId } from "./trace-ids.ts";
export { readTraceparent } from "./traceparent.ts";

export type { Admitted } from "./admission.ts";
export type { ScannedConnection } from "./scan-for-idle.ts";
export type { RequestDescription } from "./active-requests.ts";
export type { AppConfig, AppContext, AppFactory, PoolFigures } from "./app.ts";
export type { Clock } from "./clock.ts";
export type { Cause, Emit, LifecycleEvent } from "./events.ts";
export type { End } from "./exit-codes.ts";
export type { FailureReport } from "./failure-reports.ts";
export type { Guard, ReportFailure } from "./guard.ts";
export type { HealthCheck, HealthStatus, Probe } from "./health.ts";
export type { Begin, Lifecycle, Step } from "./lifecycle.ts";
export type { Aggregator, Labels, MeterCounter, MeterGauge, MeterHistogram, MetricFamily, Series } from "./meter.ts";
export type { Rest, Route, Server, ServerConfig, ServerContext, ServerFactory, ServerModuleExtras } from "./server.ts";
export type { PageAccess } from "./metrics-settings.ts";
export type { LifecycleSettings } from "./settings.ts";
export type { LineSink } from "./line-sink.ts";
export type { TraceIds } from "./trace-scope.ts";
export type { ParentTrace } from "./traceparent.ts";
export type { MutableServerState, Phase, ServerState } from "./state.ts";
export type { RequestSpan, RequestTrace, Tracing } from "./tracing.ts";
