import type { Labels, MetricFamily } from "@tsserve/server";
import type { Definition } from "./definitions.ts";
import type { StoredSeries } from "./value-file.ts";

/** What one process has counted. */
export interface Contribution {
  readonly slot: number;
  readonly series: readonly StoredSeries[];
  /** By the series' cells. Shorter when the last ones have not been written yet. */
  readonly cells: Float64Array;
  /** Gauges of the dead do not count. */
  readonly isAlive: boolean;
}

/** One series of all processes. */
export interface MergedSeries {
  readonly family: MetricFamily;
  readonly labels: Labels;
  readonly suffix: string;
  /** As in a meter: one cell, or a histogram's. */
  readonly values: Float64Array;
}

export interface MergedFamily {
  readonly family: MetricFamily;
  readonly series: MergedSeries[];
}

class Sum implements MergedSeries {
  readonly family: MetricFamily;
  readonly labels: Labels;
  readonly suffix: string;
  readonly values: Float64Array;
  /** Of which merge it has values, and from how many processes. */
  round = 0;
  processes = 0;

  constructor({ family, labels, suffix, cells }: Definition) {
    this.family = family;
    this.labels = labels;
    this.suffix = suffix;
    this.values = new Float64Array(cells);
  }
}

/** Merges what several processes have counted. It remembers which series there are, so that the next merge is only additions. */
export class Merger {
  readonly #sums = new Map<Definition, Sum>();
  /** Where each series of a contribution belongs, by the list of series. */
  readonly #sumsOfLists = new WeakMap<readonly StoredSeries[], Sum[]>();
  #round = 0;

  merge(contributions: readonly Contribution[]): MergedFamily[] {
    this.#round += 1;
    // In the same order whoever merges: sums of floating-point numbers differ by it, and must not seem to decrease.
    for (const contribution of [...contributions].sort((a, b) => a.slot - b.slot)) this.#add(contribution);
    return this.#families();
  }

  #add({ series, cells, isAlive }: Contribution): void {
    const sums = this.#sumsOf(series);
    for (let n = 0; n < series.length; n++) {
      const { definition, cell } = series[n] as StoredSeries;
      if (cell + definition.cells > cells.length) continue;
      const sum = sums[n] as Sum;
      if (definition.isGauge) {
        if (isAlive) this.#addGauge(sum, cells[cell] as number);
        continue;
      }
      const { values } = sum;
      const isFirst = sum.round !== this.#round;
      sum.round = this.#round;
      for (let offset = 0; offset < definition.cells; offset++) {
        const value = cells[cell + offset] as number;
        values[offset] = isFirst ? value : (values[offset] as number) + value;
      }
    }
  }

  /** One without a value is NaN. */
  #addGauge(sum: Sum, value: number): void {
    const { aggregator = "sum" } = sum.family;
    if (Number.isNaN(value) || aggregator === "omit") return;
    const { values } = sum;
    if (sum.round !== this.#round) {
      sum.round = this.#round;
      sum.processes = 1;
      values[0] = value;
      return;
    }
    const before = values[0] as number;
    sum.processes += 1;
    if (aggregator === "sum") values[0] = before + value;
    else if (aggregator === "min") values[0] = Math.min(before, value);
    else if (aggregator === "max") values[0] = Math.max(before, value);
    else if (aggregator === "average") values[0] = before + (value - before) / sum.processes;
  }

  #sumsOf(series: readonly StoredSeries[]): Sum[] {
    let sums = this.#sumsOfLists.get(series);
    if (sums === undefined) {
      sums = [];
      this.#sumsOfLists.set(series, sums);
    }
    // Lists of series only grow.
    for (let n = sums.length; n < series.length; n++) {
      const { definition } = series[n] as StoredSeries;
      let sum = this.#sums.get(definition);
      if (sum === undefined) {
        sum = new Sum(definition);
        this.#sums.set(definition, sum);
      }
      sums.push(sum);
    }
    return sums;
  }

  #families(): MergedFamily[] {
    const families = new Map<string, MergedFamily>();
    for (const sum of this.#sums.values()) {
      if (sum.round !== this.#round) continue;
      const known = families.get(sum.family.name);
      if (known === undefined) families.set(sum.family.name, { family: sum.family, series: [sum] });
      else if (known.family.type === sum.family.type) known.series.push(sum);
    }
    return [...families.values()];
  }
}
