/** How the values of one series in several workers become one. `sum` is the way of counters and histograms. */
export type Aggregator = "sum" | "min" | "max" | "average" | "first" | "omit";

/** What a family of series is. */
export interface MetricFamily {
  /** As it is exported, without the endings of a histogram's samples. */
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram" | "summary";
  /** Default `sum`. */
  readonly aggregator?: Aggregator;
  /** Upper bounds, ascending, without the infinite one. */
  readonly buckets?: readonly number[];
  /**
   * Which labels its series may have, where that is declared, sorted. Other labels, as another type or other buckets, are
   * another definition of the name, of which the newest is exported.
   */
  readonly labelNames?: readonly string[];
}

export type Labels = Readonly<Record<string, string>>;

/** One series: a family's name with values for its labels. */
export interface Series {
  /** The same for the same series in every process. */
  readonly key: string;
  readonly family: MetricFamily;
  /** By name. */
  readonly labels: Labels;
  /** Of a summary: `_sum` or `_count`; else empty. */
  readonly suffix: string;
  /** Its first cell. A histogram has one for each bucket, one for what is above them all, and one for the sum. */
  readonly cell: number;
  readonly cells: number;
}

const firstCells = 256;

/**
 * The numbers of one process, in one array: recording is an addition, and whoever exports them copies the array. Gauges
 * without a value are NaN.
 */
export class Meter {
  values: Float64Array = new Float64Array(firstCells);
  readonly series: Series[] = [];
  /** By the labels as they were given. */
  readonly #byKey = new Map<string, Series>();
  /** As they are exported. */
  readonly #keys = new Set<string>();
  readonly #mask: (text: string) => string;
  readonly #samplers: (() => void)[] = [];
  #used = 0;

  /** @param mask takes secrets out of the values of labels, which are exported; default: there are none */
  constructor(mask: (text: string) => string = (text) => text) {
    this.#mask = mask;
  }

  /** How many cells are in use. */
  get used(): number {
    return this.#used;
  }

  /** The series of a family for these labels: the same for the same. */
  seriesOf(family: MetricFamily, labels: Labels, suffix = ""): Series {
    const given = seriesKey(family, labels, suffix);
    const known = this.#byKey.get(given);
    if (known !== undefined) return known;
    const { key, labels: shown } = this.#exportedAs(family, labels, suffix);
    const cells = family.type === "histogram" ? (family.buckets?.length ?? 0) + 2 : 1;
    const series: Series = { key, family, labels: shown, suffix, cell: this.#reserve(cells), cells };
    if (isGauge(series)) this.values[series.cell] = Number.NaN;
    this.series.push(series);
    this.#byKey.set(given, series);
    this.#keys.add(key);
    return series;
  }

  /** Two series that differ in a secret stay two: those that come later are numbered. */
  #exportedAs(family: MetricFamily, labels: Labels, suffix: string): Pick<Series, "key" | "labels"> {
    const sorted = Object.entries(sortedLabels(labels)).map(([name, value]) => [name, value, this.#mask(value)] as const);
    for (let number = 1; ; number++) {
      const shown = sorted.map(([name, value, masked]) => [name, number > 1 && masked !== value ? `${masked} ${number}` : masked]);
      const exported = Object.fromEntries(shown) as Labels;
      const key = seriesKey(family, exported, suffix);
      if (!this.#keys.has(key)) return { key, labels: exported };
    }
  }

  /** Called before the values are looked at, to set what is only known when asked for. */
  onSample(sampler: () => void): void {
    this.#samplers.push(sampler);
  }

  sample(): void {
    for (const sampler of this.#samplers) sampler();
  }

  counter(family: MetricFamily, labels: Labels): MeterCounter {
    return new Cell(this, this.seriesOf(family, labels).cell);
  }

  gauge(family: MetricFamily, labels: Labels): MeterGauge {
    return new Cell(this, this.seriesOf(family, labels).cell);
  }

  histogram(family: MetricFamily, labels: Labels): Histogram {
    return new Histogram(this, this.seriesOf(family, labels).cell, family.buckets ?? []);
  }

  #reserve(cells: number): number {
    const cell = this.#used;
    this.#used += cells;
    if (this.#used > this.values.length) {
      const grown = new Float64Array(Math.max(this.values.length * 2, this.#used));
      grown.set(this.values);
      this.values = grown;
    }
    return cell;
  }
}

/** Whether only live processes count for it. */
export function isGauge({ family, suffix }: { readonly family: Pick<MetricFamily, "type">; readonly suffix: string }): boolean {
  return family.type === "gauge" || (family.type === "summary" && suffix === "");
}

/** The same text for the same series in every process: JSON of its definition, its labels and its ending. */
export function seriesKey(family: MetricFamily, labels: Labels, suffix = ""): string {
  return JSON.stringify([definitionKey(family), sortedLabels(labels), suffix]);
}

/** The same text for the same definition of a name in every process. A help text or an aggregator makes no other one. */
export function definitionKey({ name, type, buckets, labelNames }: MetricFamily): string {
  return JSON.stringify([name, type, buckets ?? null, labelNames ?? null]);
}

/** By name: the same labels in another order are the same series. */
export function sortedLabels(labels: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

// The array may be replaced by a larger one: it is read anew each time.
class Cell {
  private readonly meter: Meter;
  private readonly cell: number;

  constructor(meter: Meter, cell: number) {
    this.meter = meter;
    this.cell = cell;
  }

  add(amount: number): void {
    (this.meter.values[this.cell] as number) += amount;
  }

  set(value: number): void {
    this.meter.values[this.cell] = value;
  }
}

export type MeterCounter = Pick<Cell, "add">;
export type MeterGauge = Pick<Cell, "set">;

class Histogram {
  private readonly meter: Meter;
  private readonly cell: number;
  private readonly bounds: readonly number[];

  constructor(meter: Meter, cell: number, bounds: readonly number[]) {
    this.meter = meter;
    this.cell = cell;
    this.bounds = bounds;
  }

  observe(value: number): void {
    const { values } = this.meter;
    const { bounds, cell } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket += 1;
    (values[cell + bucket] as number) += 1;
    (values[cell + bounds.length + 1] as number) += value;
  }
}

export type { Histogram as MeterHistogram };

/** Of latencies, in seconds. */
export const latencyBuckets: readonly number[] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 30];
/** Of sizes, in bytes: 8 to 4 Mi. */
export const sizeBuckets: readonly number[] = Array.from({ length: 20 }, (_, power) => 8 * 2 ** power);
