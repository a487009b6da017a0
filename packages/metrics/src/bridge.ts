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

interface Known {
  readonly labels: Readonly<Record<string, unknown>>;
  readonly metricName: string | undefined;
  readonly series: Series;
}

/** What has been seen of one metric. */
class Bridged {
  /** By its place in what the metric gives, which rarely changes. */
  readonly known: Known[] = [];
  /** What counters showed last, and what they had shown before they were reset, by cell. */
  readonly last = new Map<number, number>();
  readonly lost = new Map<number, number>();
  gauges = new Set<number>();
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
      bridged = new Bridged();
      this.#bridged.set(metric, bridged);
    }
    const gauges = new Set<number>();
    const { values } = got;
    for (let n = 0; n < values.length; n++) {
      const value = values[n] as Got["values"][number];
      const isBucket = got.type === "histogram" && value.metricName?.endsWith("_bucket") === true;
      let known = bridged.known[n];
      if (known === undefined || !isSame(known, value)) {
        known = { labels: value.labels, metricName: value.metricName, series: this.#seriesOf(got, value) };
        bridged.known[n] = known;
      }
      const { series } = known;
      if (isBucket) n = this.#copyBuckets(bridged, series, values, n);
      else if (got.type === "histogram") {
        // Its count is that of the buckets.
        if (value.metricName?.endsWith("_sum") === true) this.#count(bridged, series.cell + series.cells - 1, value.value);
      } else if (isGauge(series)) {
        gauges.add(series.cell);
        this.#meter.values[series.cell] = value.value;
      } else this.#count(bridged, series.cell, value.value);
    }
    return gauges;
  }

  /** prom-client's buckets hold what the smaller ones hold, too. */
  #copyBuckets(bridged: Bridged, series: Series, values: Got["values"], first: number): number {
    let below = 0;
    const buckets = series.cells - 1;
    for (let bucket = 0; bucket < buckets; bucket++) {
      const value = values[first + bucket]?.value ?? 0;
      this.#count(bridged, series.cell + bucket, value - below);
      below = value;
    }
    return first + buckets - 1;
  }

  /** A counter that was reset goes on from where it was. */
  #count(bridged: Bridged, cell: number, value: number): void {
    const last = bridged.last.get(cell) ?? 0;
    if (value < last) bridged.lost.set(cell, (bridged.lost.get(cell) ?? 0) + last);
    bridged.last.set(cell, value);
    this.#meter.values[cell] = value + (bridged.lost.size === 0 ? 0 : (bridged.lost.get(cell) ?? 0));
  }

  #seriesOf({ name, help, type, aggregator, values }: Got, { labels, metricName }: Got["values"][number]): Series {
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
