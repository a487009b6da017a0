import { definitionKey, isGauge, type Aggregator, type Labels, type MetricFamily, type Series } from "@tsserve/server";

/** What a name means: its type, its buckets, its labels. There is one of these for each meaning, however many processes have it. */
export interface Definition {
  readonly key: string;
  readonly name: string;
  readonly type: MetricFamily["type"];
  readonly buckets: readonly number[] | undefined;
  /** Its series, by the text that they have in files. */
  readonly series: Map<string, SeriesDefinition>;
}

/** What a series is, whoever counts it. There is one of these for each, however many processes have it. */
export interface SeriesDefinition {
  readonly definition: Definition;
  readonly labels: Labels;
  readonly suffix: string;
  readonly cells: number;
  readonly isGauge: boolean;
  /** How many lists of series have it: nobody needs it when there is none. */
  uses: number;
}

const types: ReadonlySet<unknown> = new Set(["counter", "gauge", "histogram", "summary"]);
const aggregators: ReadonlySet<unknown> = new Set(["sum", "min", "max", "average", "first", "omit"]);

/** All definitions and series that this process has heard of, and that are still in some file: what is known is not read again. */
export class Definitions {
  readonly #byKey = new Map<string, Definition>();

  of(family: MetricFamily): Definition {
    const key = definitionKey(family);
    let known = this.#byKey.get(key);
    if (known === undefined) {
      known = { key, name: family.name, type: family.type, buckets: family.buckets, series: new Map() };
      this.#byKey.set(key, known);
    }
    return known;
  }

  /** A series of a meter. To be released. */
  seriesOf({ family, labels, suffix }: Series): SeriesDefinition {
    const definition = this.of(family);
    const text = seriesText(suffix, labels);
    return use(definition.series.get(text) ?? addSeries(definition, text, suffix, labels));
  }

  /**
   * A series as another process has written it. To be released.
   *
   * @returns `undefined` when it is none
   */
  parseSeries(definition: Definition, text: string): SeriesDefinition | undefined {
    const known = definition.series.get(text);
    if (known !== undefined) return use(known);
    const tab = text.indexOf("\t");
    const labels = tab === -1 ? undefined : parseLabels(text.slice(tab + 1));
    if (labels === undefined) return undefined;
    // A part of a text would keep the whole text, which is a file's.
    return use(addSeries(definition, Buffer.from(text).toString(), text.slice(0, tab), labels));
  }

  /** A list of series is not used any more. */
  release(series: Iterable<SeriesDefinition>): void {
    for (const each of series) {
      each.uses -= 1;
      if (each.uses === 0) each.definition.series.delete(seriesText(each.suffix, each.labels));
    }
  }
}

/** The text of a series in files: its ending, and its labels by name. */
export function seriesText(suffix: string, labels: Labels): string {
  return `${suffix}\t${JSON.stringify(labels)}`;
}

/** The text of a definition in files. */
export function definitionText({ name, type, buckets, labelNames, help, aggregator }: MetricFamily): string {
  return JSON.stringify([name, type, buckets ?? null, labelNames ?? null, help, aggregator ?? null]);
}

/** @returns `undefined` when it is none */
export function parseDefinition(text: string): MetricFamily | undefined {
  const value = parseJson(text);
  if (!Array.isArray(value) || value.length !== 6) return undefined;
  const [name, type, buckets, labelNames, help, aggregator] = value as unknown[];
  const isSound =
    typeof name === "string" &&
    types.has(type) &&
    (buckets === null || isArrayOf(buckets, "number")) &&
    (labelNames === null || isArrayOf(labelNames, "string")) &&
    typeof help === "string" &&
    (aggregator === null || aggregators.has(aggregator));
  if (!isSound) return undefined;
  return {
    name,
    type: type as MetricFamily["type"],
    help,
    ...(buckets !== null && { buckets: buckets as number[] }),
    ...(labelNames !== null && { labelNames: labelNames as string[] }),
    ...(aggregator !== null && { aggregator: aggregator as Aggregator }),
  };
}

/** How many cells a series of a definition has: a histogram has one for each bucket, one above them all, and one for the sum. */
export function cellsOf({ type, buckets }: Pick<MetricFamily, "type"> & { readonly buckets?: readonly number[] | undefined }): number {
  return type === "histogram" ? (buckets?.length ?? 0) + 2 : 1;
}

function use(series: SeriesDefinition): SeriesDefinition {
  series.uses += 1;
  return series;
}

function addSeries(definition: Definition, text: string, suffix: string, labels: Labels): SeriesDefinition {
  const made = { definition, labels, suffix, cells: cellsOf(definition), isGauge: isGauge({ family: definition, suffix }), uses: 0 };
  definition.series.set(text, made);
  return made;
}

function parseLabels(text: string): Labels | undefined {
  const labels = parseJson(text);
  if (typeof labels !== "object" || labels === null || Array.isArray(labels)) return undefined;
  return Object.values(labels).every((label) => typeof label === "string") ? (labels as Labels) : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isArrayOf(value: unknown, type: "number" | "string"): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === type);
}
