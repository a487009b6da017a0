import { constants, PerformanceObserver, type NodeGCPerformanceDetail, type PerformanceEntry } from "node:perf_hooks";
import type { Meter, MeterCounter, MeterHistogram } from "@tsserve/server";
import type { Reporter } from "./schedule.ts";
import type { Timings } from "./statsd.ts";

const collections = { name: "runtime_gc_collections_total", help: "Garbage collections.", type: "counter" } as const;
const elapsed = {
  name: "runtime_gc_elapsed_seconds",
  help: "How long garbage collections held up the process.",
  type: "histogram",
  buckets: [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
} as const;

const kinds: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weak_callbacks",
};

/** Counts garbage collections as they happen, and where `timing` says so how long they took. */
export function gcReporter(
  meter: Meter,
  hostname: string,
  { stats, timing }: { readonly stats: boolean; readonly timing: boolean },
  timings: Timings | undefined,
): Reporter {
  const series = new Map<string, { readonly count: MeterCounter; readonly elapsed: MeterHistogram | undefined }>();
  const seriesOf = (kind: string): { readonly count: MeterCounter; readonly elapsed: MeterHistogram | undefined } => {
    let known = series.get(kind);
    if (known === undefined) {
      const labels = { hostname, kind };
      known = { count: meter.counter(collections, labels), elapsed: timing ? meter.histogram(elapsed, labels) : undefined };
      series.set(kind, known);
    }
    return known;
  };
  const observer = new PerformanceObserver((list) => {
    for (const { duration, detail } of list.getEntries() as (PerformanceEntry & { readonly detail?: unknown })[]) {
      const kind = kinds[(detail as NodeGCPerformanceDetail).kind ?? -1] ?? "other";
      const { count, elapsed: took } = seriesOf(kind);
      if (stats) count.add(1);
      took?.observe(duration / 1000);
      if (timing) timings?.timing("gc.elapsed", duration, { kind });
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  return { name: "garbage collections", report: () => undefined, end: () => observer.disconnect() };
}
