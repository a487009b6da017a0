import { isGauge, type Aggregator, type Labels, type Meter, type MetricFamily, type Series } from "@tsserve/server";
import type { MetricObject, MetricValue, Registry } from "prom-client";
import { ExemplarStore, exemplarOf } from "./exemplars.ts";
import { pause } from "./pause.ts";

const collectTimeoutMs = 1000;
const valuesAtOnce = 2000;

/** What `Metric#get` of prom-client gives, as far as its types tell. */
interface Got {
  readonly name: string;
  readonly help: string;
  readonly type: unknown;
  readonly aggregator?: string;
  readonly values: readonly GotValue[];
}

type GotValue = MetricValue<string> & { readonly metricName?: string; readonly exemplar?: unknown };

/** What is used of a metric and of a registry beside their documented parts. */
type PromMetric = MetricObject & { readonly labelNames?: readonly string[]; get(): Got | Promise<Got> };
type PromRegistry = Registry & { readonly _defaultLabels?: Readonly<Record<string, unknown>>; readonly contentType?: string };

/** What one value of a metric was when it was looked at last. */
interface Known {
  readonly labels: Readonly<Record<string, unknown>>;
  readonly metricName: string | undefined;
  readonly series: Series;
  readonly counted: Counted;
}

/** What one metric adds to a series: a histogram's values are several. Two metrics of one name may have the same series. */
interface Counted {
  /** What its cells showed last, and what they had shown before they were reset. */
  readonly last: number[];
  readonly lost: number[];
  /** In which copy it was there last. */
  copied: number;
}

/** What has been seen of one metric. */
interface Bridged {
  /** By its place in what the metric gives, which rarely changes. */
  readonly places: Known[];
  readonly counted: Map<Series, Counted>;
  copies: number;
  /** By what the metric says of itself, which a histogram's first series completes. */
  family: MetricFamily | undefined;
}

/** Copies the metrics of prom-client registries, of any copy and version from 14 on, into a meter. */
export class PromClientBridge {
  readonly exemplars: ExemplarStore = new ExemplarStore();
  readonly #meter: Meter;
  readonly #onError: (metric: string, error: unknown) => void;
  readonly #bridged = new WeakMap<object, Bridged>();
  /** What the metrics add to each series. */
  readonly #shares = new WeakMap<Series, Counted[]>();
  readonly #failing = new Set<string>();
  #gauges = new Map<object, Set<Series>>();

  constructor(meter: Meter, onError: (metric: string, error: unknown) => void) {
    this.#meter = meter;
    this.#onError = onError;
  }

  /** Each metric by itself: one whose `collect` fails does not take the others along, and is told once. */
  async copy(registries: readonly Registry[]): Promise<void> {
    const gauges = new Map<object, Set<Series>>();
    const seen = new Set<object>();
    for (const registry of registries as readonly PromRegistry[]) {
      for (const metric of registry.getMetricsAsArray() as unknown as PromMetric[]) {
        // It may be in several registries.
        if (seen.has(metric)) continue;
        seen.add(metric);
        const before = this.#gauges.get(metric);
        try {
          const got = await inTime(metric.get());
          // To collect so many takes milliseconds, to copy them some more: requests are served in between.
          if (got.values.length > valuesAtOnce) await pause();
          gauges.set(metric, this.#copyMetric(metric, got, registry));
          this.#failing.delete(got.name);
        } catch (error) {
          const { name } = metric as unknown as { name: string };
          if (!this.#failing.has(name)) this.#onError(name, error);
          this.#failing.add(name);
          if (before !== undefined) gauges.set(metric, before);
        }
      }
    }
    this.#forgetGauges(gauges);
    this.#gauges = gauges;
  }

  /** Gauges that are not there any more have no value. */
  #forgetGauges(now: ReadonlyMap<object, ReadonlySet<Series>>): void {
    const kept = new Set<Series>();
    for (const each of now.values()) for (const series of each) kept.add(series);
    for (const before of this.#gauges.values())
      for (const series of before) if (!kept.has(series)) this.#meter.values[series.cell] = Number.NaN;
  }

  #copyMetric(metric: PromMetric, got: Got, registry: PromRegistry): Set<Series> {
    let bridged = this.#bridged.get(metric);
    if (bridged === undefined) {
      bridged = { places: [], counted: new Map(), copies: 0, family: undefined };
      this.#bridged.set(metric, bridged);
    }
    const gauges = new Set<Series>();
    const { values } = got;
    bridged.copies += 1;
    for (let n = 0; n < values.length; n++) {
      const value = values[n] as GotValue;
      const known = this.#knownAt(bridged, n, metric, got, registry);
      const { series, counted } = known;
      counted.copied = bridged.copies;
      if (got.type === "histogram") {
        // Its buckets come first, then its sum; its count is that of the buckets.
        if (value.metricName?.endsWith("_bucket") !== true) continue;
        n = this.#copyHistogram(known, values, n);
      } else if (isGauge(series)) {
        gauges.add(series);
        this.#meter.values[series.cell] = value.value;
      } else if (hasNotChanged(counted, value)) continue;
      else {
        // A summary's sum may become smaller, by a negative observation; its count, which follows it, may not.
        const isSum = value.metricName?.endsWith("_sum") === true && values[n + 1]?.metricName?.endsWith("_count") === true;
        const deciding = isSum ? this.#knownAt(bridged, n + 1, metric, got, registry) : known;
        const isAnew = (values[isSum ? n + 1 : n] as GotValue).value < (deciding.counted.last[0] ?? 0);
        this.#count(known, [value.value], isAnew);
        this.exemplars.set(series, 0, exemplarOf(value.exemplar));
      }
    }
    for (const [series, counted] of bridged.counted)
      if (counted.copied !== bridged.copies && !isGauge(series)) this.#forget(series, counted);
    return gauges;
  }

  #knownAt(bridged: Bridged, n: number, metric: PromMetric, got: Got, registry: PromRegistry): Known {
    const value = got.values[n] as GotValue;
    let known = bridged.places[n];
    if (known === undefined || !isSame(known, value)) {
      known = this.#knownOf(bridged, metric, got, value, registry);
      bridged.places[n] = known;
    }
    return known;
  }

  #knownOf(bridged: Bridged, metric: PromMetric, got: Got, { labels, metricName }: GotValue, registry: PromRegistry): Known {
    const series = this.#seriesOf(bridged, metric, got, labels, metricName, registry);
    let counted = bridged.counted.get(series);
    if (counted === undefined) {
      counted = { last: [], lost: [], copied: 0 };
      bridged.counted.set(series, counted);
      const shares = this.#shares.get(series);
      if (shares === undefined) this.#shares.set(series, [counted]);
      else shares.push(counted);
    }
    return { labels, metricName, series, counted };
  }

  /** prom-client's buckets hold what the smaller ones hold, too. @returns where its last value is */
  #copyHistogram(known: Known, values: Got["values"], first: number): number {
    const { series } = known;
    const now: number[] = [];
    let below = 0;
    const buckets = series.cells - 1;
    for (let bucket = 0; bucket < buckets; bucket++) {
      const { value = 0, exemplar } = values[first + bucket] ?? {};
      now.push(value - below);
      below = value;
      this.exemplars.set(series, bucket, exemplarOf(exemplar));
    }
    now.push(values[first + buckets]?.value ?? 0);
    const { last } = known.counted;
    if (now.length === last.length && now.every((value, bucket) => value === last[bucket])) return first + buckets;
    // A sum may become smaller, by a negative observation; a count may not.
    const isAnew = now.some((value, bucket) => bucket < buckets && value < (last[bucket] ?? 0));
    this.#count(known, now, isAnew);
    return first + buckets;
  }

  /** What was reset goes on from where it was. */
  #count({ series, counted: { last, lost } }: Known, now: readonly number[], isAnew: boolean): void {
    for (let offset = 0; offset < now.length; offset++) {
      if (isAnew) lost[offset] = (lost[offset] ?? 0) + (last[offset] ?? 0);
      last[offset] = now[offset] as number;
    }
    this.#show(series);
  }

  /** What is not there any more would begin at zero, if it came again. */
  #forget(series: Series, { last, lost }: Counted): void {
    for (let offset = 0; offset < last.length; offset++) {
      lost[offset] = (lost[offset] ?? 0) + (last[offset] ?? 0);
      last[offset] = 0;
    }
    this.#show(series);
  }

  #show(series: Series): void {
    const shares = this.#shares.get(series) ?? [];
    const { values } = this.#meter;
    for (let offset = 0; offset < series.cells; offset++) {
      let sum = 0;
      for (const { last, lost } of shares) sum += (last[offset] ?? 0) + (lost[offset] ?? 0);
      values[series.cell + offset] = sum;
    }
  }

  #seriesOf(
    bridged: Bridged,
    metric: PromMetric,
    got: Got,
    labels: Known["labels"],
    metricName: string | undefined,
    registry: PromRegistry,
  ): Series {
    const { type } = got;
    const own = Object.entries({ ...registry._defaultLabels, ...labels })
      .filter(([label, value]) => value !== undefined && (type !== "histogram" || label !== "le"))
      .map(([label, value]) => [label, String(value)]);
    bridged.family ??= familyOf(metric, got, registry);
    const suffix = type === "summary" && metricName !== undefined ? metricName.slice(got.name.length) : "";
    return this.#meter.seriesOf(bridged.family, Object.fromEntries(own) as Labels, suffix);
  }
}

function familyOf({ labelNames = [] }: PromMetric, { name, help, type, aggregator, values }: Got, registry: PromRegistry): MetricFamily {
  const names = new Set([...labelNames, ...Object.keys(registry._defaultLabels ?? {}), ...(type === "summary" ? ["quantile"] : [])]);
  // A registry for OpenMetrics takes the ending away when it prints, and gives it back.
  const isEnded =
    type !== "counter" || registry.contentType?.startsWith("application/openmetrics-text") !== true || name.endsWith("_total");
  return {
    name: isEnded ? name : `${name}_total`,
    help,
    type: typeOf(type),
    // The quantiles of several processes can't be merged: the worst one is told.
    aggregator: type === "summary" ? "max" : ((aggregator as Aggregator | undefined) ?? "sum"),
    labelNames: [...names].sort(),
    ...(type === "histogram" ? { buckets: boundsOf(values) } : {}),
  };
}

/** A `collect` that never ends must not hold up the others for ever. */
async function inTime(got: Got | Promise<Got>): Promise<Got> {
  if (!(got instanceof Promise)) return got;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`its collect() took more than ${collectTimeoutMs} ms`)), collectTimeoutMs).unref();
  });
  try {
    return await Promise.race([got, late]);
  } finally {
    clearTimeout(timer);
  }
}

function typeOf(type: unknown): MetricFamily["type"] {
  return type === "counter" || type === "histogram" || type === "summary" ? type : "gauge";
}

/** The bounds of a histogram, from the buckets of its first series. */
function boundsOf(values: Got["values"]): number[] {
  const bounds: number[] = [];
  for (const { labels } of values) {
    const bound = Number(labels["le"]);
    if (!Number.isFinite(bound)) break;
    bounds.push(bound);
  }
  return bounds;
}

/** Most of the series of a large metric stand still from one copy to the next. A sum says nothing by itself: its count may have been reset. */
function hasNotChanged({ last }: Counted, { value, metricName, exemplar }: GotValue): boolean {
  return last[0] === value && exemplar === undefined && metricName?.endsWith("_sum") !== true;
}

function isSame(known: Known, value: GotValue): boolean {
  if (known.labels === value.labels) return known.metricName === value.metricName;
  if (known.metricName !== value.metricName) return false;
  const labels = value.labels as Readonly<Record<string, unknown>>;
  let count = 0;
  for (const label in labels) {
    if (known.labels[label] !== labels[label]) return false;
    count += 1;
  }
  return count === Object.keys(known.labels).length;
}
