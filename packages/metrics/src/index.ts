/**
 * Metrics of several worker processes as one: each keeps its numbers in files that the others can read without asking it,
 * and any of them answers a scrape for all. Counters outlive their workers.
 */
export { Exporter } from "./exporter.ts";
export { problemOfFolder } from "./folder.ts";
export { Merger } from "./merge.ts";
export { print } from "./print.ts";
export { PromClientBridge } from "./bridge.ts";
export { blockedHubReporter, type LoopWatcher } from "./reporters/blocked-hub.ts";
export { concurrencyReporter } from "./reporters/concurrency.ts";
export { eventLoopReporter } from "./reporters/event-loop.ts";
export { gcReporter } from "./reporters/gc.ts";
export { heapReporter } from "./reporters/heap.ts";
export { poolsReporter } from "./reporters/pools.ts";
export { processGauges } from "./reporters/process-gauges.ts";
export { loadStatsdClient, statsdReporter } from "./reporters/statsd.ts";
export { refcycleReporter } from "./reporters/refcycle.ts";
export { schedule } from "./reporters/schedule.ts";
export { WorkerMetrics } from "./worker-metrics.ts";

export type { Answer, ExporterOptions, Page, Place } from "./exporter.ts";
export type { HistoryEvent } from "./history/events.ts";
export type { History, HistoryPoint } from "./history/read-history.ts";
export type { ProcessRecord } from "./history/process-record.ts";
export type { Merged, MergedFamily, MergedSeries } from "./merge.ts";
export type { TextFormat } from "./print.ts";
export type { ProcessGauges } from "./reporters/process-gauges.ts";
export type { Reporter } from "./reporters/schedule.ts";
export type { ProcessIdentity } from "./process-identity.ts";
export type { MetricsLog } from "./keeper.ts";
export type { Contribution } from "./value-format.ts";
export type { WorkerMetricsOptions } from "./worker-metrics.ts";
