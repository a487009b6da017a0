import { isGauge, type Aggregator, type Labels, type Meter, type MetricFamily, type Series } from "@tsserve/server";
import type { MetricObject, MetricValue, Registry } from "prom-client";

const collectTimeoutMs = 1000;

/** What `Metric#get` of prom-client gives, as far as its types tell. */
interface Got {
  readonly name: string;
  readonly help: string;
  readonly type: unknown;
  readonly aggregator?: string;
  readonly values: readonly (MetricValue<string> & { readonly metricName?: string })[];
}

/** What one value of a metric was when it was looked at last. */
interface Known {
  readonly labels: Readonly<Record<string, unknown>>;
  readonly metricName: string | undefined;
  readonly series: Series;
  readonly counted: Counted;
}

/** Of a series: a histogram's values are several. */
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
}

/** Copies the metrics of prom-client registries into a meter. */
export class PromClientBridge {
  readonly #meter: Meter;
  readonly #onError: (metric: string, error: unknown) => void;
  readonly #bridged = new WeakMap<object, Bridged>();
  readonly #failing = new Set<string>();
  #gauges = new Map<object, Set<number>>();

  constructor(meter: Meter, onError: (metric: string, error: unknown) => void) {
    this.#meter = meter;
    this.#onError = onError;
  }

  /** Each metric by itself: one whose `collect` fails does not take the others along, and is told once. */
  async copy(registries: readonly Registry[]): Promise<void> {
    const gauges = new Map<object, Set<number>>();
    for (const registry of registries) {
      for (const metric of registry.getMetricsAsArray()) {
        const before = this.#gauges.get(metric);
        try {
          const got = await inTime((metric as MetricObject & { get(): Got | Promise<Got> }).get());
          gauges.set(metric, this.#copyMetric(metric, got));
          this.#failing.delete(got.name);
        } catch (error) {
          const { name } = metric as { name: string };
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
  #forgetGauges(now: ReadonlyMap<object, ReadonlySet<number>>): void {
    for (const [metric, before] of this.#gauges) {
      const kept = now.get(metric);
      for (const cell of before) if (kept?.has(cell) !== true) this.#meter.values[cell] = Number.NaN;
    }
  }

  #copyMetric(metric: object, got: Got): Set<number> {
    let bridged = this.#bridged.get(metric);
    if (bridged === undefined) {
      bridged = { places: [], counted: new Map(), copies: 0 };
      this.#bridged.set(metric, bridged);
    }
    const gauges = new Set<number>();
    const { values } = got;
    bridged.copies += 1;
    for (let n = 0; n < values.length; n++) {
      const value = values[n] as Got["values"][number];
      const isBucket = got.type === "histogram" && value.metricName?.endsWith("_bucket") === true;
      let known = bridged.places[n];
      if (known === undefined || !isSame(known, value)) {
        known = this.#knownOf(bridged, got, value);
        bridged.places[n] = known;
      }
      const { series } = known;
      known.counted.copied = bridged.copies;
      if (isBucket) n = this.#copyBuckets(known, values, n);
      else if (got.type === "histogram") {
        // Its count is that of the buckets.
        if (value.metricName?.endsWith("_sum") === true) this.#count(known, series.cells - 1, value.value);
      } else if (isGauge(series)) {
        gauges.add(series.cell);
        this.#meter.values[series.cell] = value.value;
      } else this.#count(known, 0, value.value);
    }
    forgetMissing(bridged);
    return gauges;
  }

  #knownOf(bridged: Bridged, got: Got, { labels, metricName }: Got["values"][number]): Known {
    const series = this.#seriesOf(got, labels, metricName);
    let counted = bridged.counted.get(series);
    if (counted === undefined) {
      counted = { last: [], lost: [], copied: 0 };
      bridged.counted.set(series, counted);
    }
    return { labels, metricName, series, counted };
  }

  /** prom-client's buckets hold what the smaller ones hold, too. */
  #copyBuckets(known: Known, values: Got["values"], first: number): number {
    let below = 0;
    const buckets = known.series.cells - 1;
    for (let bucket = 0; bucket < buckets; bucket++) {
      const value = values[first + bucket]?.value ?? 0;
      this.#count(known, bucket, value - below);
      below = value;
    }
    return first + buckets - 1;
  }

  /** A counter that was reset goes on from where it was. */
  #count({ series, counted: { last, lost } }: Known, offset: number, value: number): void {
    const before = last[offset] ?? 0;
    if (value < before) lost[offset] = (lost[offset] ?? 0) + before;
    last[offset] = value;
    this.#meter.values[series.cell + offset] = value + (lost[offset] ?? 0);
  }

  #seriesOf({ name, help, type, aggregator, values }: Got, labels: Known["labels"], metricName: string | undefined): Series {
    const own = Object.fromEntries(
      Object.entries(labels)
        .filter(([label]) => type !== "histogram" || label !== "le")
        .map(([label, value]) => [label, String(value)]),
    );
    const family: MetricFamily = {
      name,
      help,
      type: typeOf(type),
      // The quantiles of several processes can't be merged: the worst one is told.
      aggregator: type === "summary" ? "max" : ((aggregator as Aggregator | undefined) ?? "sum"),
      ...(type === "histogram" ? { buckets: boundsOf(values) } : {}),
    };
    const suffix = type === "summary" && metricName !== undefined ? metricName.slice(name.length) : "";
    return this.#meter.seriesOf(family, own as Labels, suffix);
  }
}

/** What is not there any more would begin at zero, if it came again. */
function forgetMissing({ counted, copies }: Bridged): void {
  for (const { last, lost, copied } of counted.values()) {
    if (copied === copies) continue;
    for (let offset = 0; offset < last.length; offset++) {
      lost[offset] = (lost[offset] ?? 0) + (last[offset] ?? 0);
      last[offset] = 0;
    }
  }
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

function isSame(known: Known, value: Got["values"][number]): boolean {
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
