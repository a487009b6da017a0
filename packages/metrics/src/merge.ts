import type { Labels, MetricFamily } from "@tsserve/server";
import type { Definition, SeriesDefinition } from "./definitions.ts";
import { bornAt, type Contribution, type SeriesList } from "./value-format.ts";

/** One series of all processes. */
export interface MergedSeries {
  readonly family: MetricFamily;
  readonly labels: Labels;
  readonly suffix: string;
  /** As in a meter: one cell, or a histogram's. */
  readonly values: Float64Array;
  /** What it is wherever it comes from; of the exporter's own metrics there is none. */
  readonly definition?: SeriesDefinition;
}

export interface MergedFamily {
  readonly family: MetricFamily;
  readonly series: readonly MergedSeries[];
}

export interface Merged {
  readonly families: readonly MergedFamily[];
  /** How many series do not fit: by name, where the newest definition is another one. */
  readonly leftOut: ReadonlyMap<string, number>;
}

/** What a sum is of before it has been in a merge. */
const undecided: MetricFamily = { name: "", help: "", type: "counter" };

class Sum implements MergedSeries {
  readonly definition: SeriesDefinition;
  readonly labels: Labels;
  readonly suffix: string;
  readonly values: Float64Array;
  family: MetricFamily = undecided;
  /** Of which merge it has values, from how many processes, and what its definition means there. */
  round = 0;
  processes = 0;
  meaning: Meaning | undefined;

  constructor(definition: SeriesDefinition) {
    this.definition = definition;
    this.labels = definition.labels;
    this.suffix = definition.suffix;
    this.values = new Float64Array(definition.cells);
  }
}

/** One meaning of a name, of all that are in the files. */
interface Meaning {
  readonly definition: Definition;
  family: MetricFamily;
  /** Whether a process that lives defined it. */
  isAlive: boolean;
  born: number;
  isExported: boolean;
  readonly series: Sum[];
  leftOut: number;
}

/**
 * Merges what several processes have counted. Where a name means different things, the newest meaning is exported: that of the
 * process which started last among those that live, or that lived. It remembers which series there are, so that the next merge
 * is only additions.
 */
export class Merger {
  readonly #sums = new WeakMap<SeriesDefinition, Sum>();
  /** Those of a file's series, in its order: to look each up again, for each file, would be most of a merge. */
  readonly #sumsOfLists = new WeakMap<SeriesList, Sum[]>();
  #round = 0;

  /** With a pause after each contribution, in which requests are served. What it gives stays as it is until the next merge. */
  async merge(contributions: readonly Contribution[], pause: () => Promise<void> = () => Promise.resolve()): Promise<Merged> {
    this.#round += 1;
    const meanings = new Map<Definition, Meaning>();
    // In the same order whoever merges: sums of floating-point numbers differ by it, and must not seem to decrease.
    const sorted = [...contributions].sort((a, b) => a.order - b.order);
    for (const contribution of sorted) learn(contribution, meanings);
    choose(meanings);
    for (const contribution of sorted) {
      this.#add(contribution, meanings);
      await pause();
    }
    const exported = [...meanings.values()].filter(({ series }) => series.length > 0);
    const leftOut = new Map<string, number>();
    for (const { definition, leftOut: count } of meanings.values())
      if (count > 0) leftOut.set(definition.name, (leftOut.get(definition.name) ?? 0) + count);
    return { families: exported.map(({ family, series }) => ({ family, series })), leftOut };
  }

  #add({ list, values: cells, isAlive }: Contribution, meanings: ReadonlyMap<Definition, Meaning>): void {
    const sums = this.#sumsOf(list);
    for (let n = 0; n < sums.length; n++) {
      const sum = sums[n] as Sum;
      const { definition } = sum;
      const cell = list.cells[n] as number;
      if (cell + definition.cells > cells.length || (definition.isGauge && !isAlive)) continue;
      if (sum.round !== this.#round) {
        sum.round = this.#round;
        sum.processes = 0;
        sum.meaning = meanings.get(definition.definition);
      }
      const { meaning } = sum;
      // It has come since the merge began.
      if (meaning === undefined) continue;
      if (!meaning.isExported) meaning.leftOut += 1;
      else if (definition.isGauge) addGauge(sum, meaning, cells[cell] as number);
      else addCounted(sum, meaning, cells, cell);
    }
  }

  /** A list only grows. */
  #sumsOf(list: SeriesList): readonly Sum[] {
    let sums = this.#sumsOfLists.get(list);
    if (sums === undefined) {
      sums = [];
      this.#sumsOfLists.set(list, sums);
    }
    for (let n = sums.length; n < list.series.length; n++) {
      const definition = list.series[n] as SeriesDefinition;
      let sum = this.#sums.get(definition);
      if (sum === undefined) {
        sum = new Sum(definition);
        this.#sums.set(definition, sum);
      }
      sums.push(sum);
    }
    return sums;
  }
}

function addCounted(sum: Sum, meaning: Meaning, cells: Float64Array, cell: number): void {
  const { values } = sum;
  const isFirst = isFirstOf(sum, meaning);
  for (let offset = 0; offset < values.length; offset++) {
    const value = cells[cell + offset] as number;
    values[offset] = isFirst ? value : (values[offset] as number) + value;
  }
}

/** One without a value is NaN. */
function addGauge(sum: Sum, meaning: Meaning, value: number): void {
  const { aggregator = "sum" } = meaning.family;
  if (Number.isNaN(value) || aggregator === "omit") return;
  const { values } = sum;
  if (isFirstOf(sum, meaning)) {
    values[0] = value;
    return;
  }
  const before = values[0] as number;
  if (aggregator === "sum") values[0] = before + value;
  else if (aggregator === "min") values[0] = Math.min(before, value);
  else if (aggregator === "max") values[0] = Math.max(before, value);
  else if (aggregator === "average") values[0] = before + (value - before) / sum.processes;
}

/** Notes that a process has a value of it. @returns whether it is the first one */
function isFirstOf(sum: Sum, meaning: Meaning): boolean {
  sum.processes += 1;
  if (sum.processes > 1) return false;
  sum.family = meaning.family;
  meaning.series.push(sum);
  return true;
}

function learn({ list, values, owner, isAlive }: Contribution, meanings: Map<Definition, Meaning>): void {
  for (const { definition, family, cell } of list.definitions) {
    const born = values[cell] ?? 0;
    // What an earlier process of the file defined, and this one has not, is what the dead say.
    const lives = isAlive && born >= bornAt(owner, 0);
    const known = meanings.get(definition);
    if (known === undefined)
      meanings.set(definition, { definition, family, isAlive: lives, born, isExported: false, series: [], leftOut: 0 });
    else if (isNewer({ isAlive: lives, born }, known)) Object.assign(known, { family, isAlive: lives, born });
  }
}

function isNewer(one: Pick<Meaning, "isAlive" | "born">, other: Pick<Meaning, "isAlive" | "born">): boolean {
  return one.isAlive === other.isAlive ? one.born > other.born : one.isAlive;
}

/** No name, and no name of a sample, stands for two things. */
function choose(meanings: ReadonlyMap<Definition, Meaning>): void {
  const newest = new Map<string, Meaning>();
  for (const meaning of meanings.values()) {
    const known = newest.get(meaning.definition.name);
    if (known === undefined || isNewer(meaning, known)) newest.set(meaning.definition.name, meaning);
  }
  const samples = new Set<string>();
  for (const meaning of [...newest.values()].sort((a, b) => (isNewer(a, b) ? -1 : 1))) {
    const names = sampleNames(meaning.definition);
    if (names.some((name) => samples.has(name))) continue;
    for (const name of names) samples.add(name);
    meaning.isExported = true;
  }
}

const endings = { counter: [""], gauge: [""], histogram: ["", "_bucket", "_sum", "_count"], summary: ["", "_sum", "_count"] } as const;

function sampleNames({ name, type }: Definition): string[] {
  return endings[type].map((ending) => name + ending);
}
