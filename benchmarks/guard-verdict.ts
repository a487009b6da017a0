/** A comparison's ratios, of pairs measured in turn: the smaller the better. */
export interface Compared {
  readonly name: string;
  readonly ratios: readonly number[];
}

export interface Verdict {
  readonly name: string;
  readonly median: number;
  /** How far the middle half of the pairs lies apart: what this run itself can't tell from chance. */
  readonly noise: number;
  readonly recorded: number | undefined;
  readonly isWorse: boolean;
}

/** Whether a ratio is worse than the one on record, by more than the noise of this very run. */
export function verdictOf({ name, ratios }: Compared, recorded: number | undefined): Verdict {
  const [low, median, high] = [0.25, 0.5, 0.75].map((share) => quantile(ratios, share)) as [number, number, number];
  const noise = high - low;
  return { name, median, noise, recorded, isWorse: recorded !== undefined && median > recorded + noise };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(position)] ?? Number.NaN, sorted[Math.ceil(position)] ?? Number.NaN];
  return below + (above - below) * (position % 1);
}

export function sentenceOf({ name, median, noise, recorded, isWorse }: Verdict): string {
  const before = recorded === undefined ? "nothing on record" : `on record ${recorded.toFixed(3)}`;
  return `${isWorse ? "WORSE" : "ok"}: ${name}: ${median.toFixed(3)} ± ${noise.toFixed(3)}, ${before}`;
}
