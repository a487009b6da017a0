import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { definitionKey, type Labels, type Series } from "@tsserve/server";
import { seriesText, type SeriesDefinition } from "./definitions.ts";
import { unfinished } from "./file-names.ts";

/** One observation of many, with what it was part of, such as a trace. */
export interface Exemplar {
  readonly labels: Labels;
  readonly value: number;
  /** Seconds since 1970. */
  readonly time: number;
}

/** By the keys of series, then by bucket; of a counter 0. */
export type Exemplars = Record<string, Record<number, Exemplar>>;

/** What OpenMetrics allows an exemplar's labels to be long together, in characters. */
const longestLabels = 128;
/** A file of them is rewritten as a whole. */
const mostSeries = 2000;

/** The exemplars that the metrics of this process hold. */
export class ExemplarStore {
  readonly #keys = new WeakMap<Series, string>();
  readonly #exemplars: Exemplars = Object.create(null) as Exemplars;
  #series = 0;
  #isChanged = false;

  set(series: Series, bucket: number, exemplar: Exemplar | undefined): void {
    if (exemplar === undefined) return;
    let key = this.#keys.get(series);
    if (key === undefined) {
      key = seriesKeyOf(definitionKey(series.family), series.suffix, series.labels);
      this.#keys.set(series, key);
    }
    const known = this.#exemplars[key];
    if (known === undefined && this.#series === mostSeries) return;
    if (known === undefined) this.#series += 1;
    const of = (this.#exemplars[key] ??= {});
    if (of[bucket]?.time === exemplar.time && of[bucket]?.value === exemplar.value) return;
    of[bucket] = exemplar;
    this.#isChanged = true;
  }

  /** Writes them where something has changed. @throws {Error} when it can't be written */
  write(path: string): void {
    if (!this.#isChanged) return;
    writeFileSync(unfinished(path), JSON.stringify(this.#exemplars), { mode: 0o600 });
    renameSync(unfinished(path), path);
    this.#isChanged = false;
  }
}

/** The exemplars of all workers, read anew where a file has changed. */
export class ExemplarReader {
  readonly #known = new Map<string, { readonly changedMs: number; readonly exemplars: Exemplars }>();

  /** @returns the latest ones of each bucket, by series */
  read(paths: readonly string[]): ReadonlyMap<string, Readonly<Record<number, Exemplar>>> {
    const latest = new Map<string, Record<number, Exemplar>>();
    for (const path of this.#known.keys()) if (!paths.includes(path)) this.#known.delete(path);
    for (const path of paths) {
      for (const [key, buckets] of Object.entries(this.#readFile(path))) {
        const of = latest.get(key) ?? {};
        for (const [bucket, exemplar] of Object.entries(buckets))
          if (exemplar.time > (of[Number(bucket)]?.time ?? -1)) of[Number(bucket)] = exemplar;
        latest.set(key, of);
      }
    }
    return latest;
  }

  #readFile(path: string): Exemplars {
    try {
      const { mtimeMs } = statSync(path);
      const known = this.#known.get(path);
      if (known?.changedMs === mtimeMs) return known.exemplars;
      const exemplars = JSON.parse(readFileSync(path, "utf8")) as Exemplars;
      this.#known.set(path, { changedMs: mtimeMs, exemplars });
      return exemplars;
    } catch {
      return {};
    }
  }
}

export function exemplarKey({ definition, suffix, labels }: SeriesDefinition): string {
  return seriesKeyOf(definition.key, suffix, labels);
}

/** What prom-client has at a value, when it is one. */
export function exemplarOf(found: unknown): Exemplar | undefined {
  if (typeof found !== "object" || found === null) return undefined;
  const { labelSet, value, timestamp } = found as { labelSet?: unknown; value?: unknown; timestamp?: unknown };
  if (typeof labelSet !== "object" || labelSet === null || typeof value !== "number" || typeof timestamp !== "number") return undefined;
  const labels = Object.fromEntries(Object.entries(labelSet).map(([name, label]) => [name, String(label)]));
  const length = Object.entries(labels).reduce((sum, [name, label]) => sum + name.length + label.length, 0);
  return length > longestLabels ? undefined : { labels, value, time: timestamp };
}

function seriesKeyOf(definition: string, suffix: string, labels: Labels): string {
  return `${definition}\t${seriesText(suffix, labels)}`;
}
