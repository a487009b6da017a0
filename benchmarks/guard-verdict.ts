/** A comparison's ratios, of pairs measured in turn: the smaller the better. */
export interface Compared {
  readonly name: string;
  readonly ratios: readonly number[];
}

/** What one run found. */
export interface Found {
  readonly median: number;
  /** How far the middle half of the pairs lies apart: what that run itself could not tell from chance. */
  readonly noise: number;
}

export interface Verdict extends Found {
  readonly name: string;
  readonly recorded: Found | undefined;
  readonly isWorse: boolean;
}

/** By so much one run differs from the next, however alike the pairs of each are. */
const betweenRuns = 0.02;

/** Whether a ratio is worse than the one on record, by more than the noise of both runs. */
export function verdictOf({ name, ratios }: Compared, recorded: Found | undefined): Verdict {
  const [low, median, high] = [0.25, 0.5, 0.75].map((share) => quantile(ratios, share)) as [number, number, number];
  const noise = high - low;
  const isWorse = recorded !== undefined && median > recorded.median * (1 + betweenRuns) + recorded.noise + noise;
  return { name, median, noise, recorded, isWorse };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(position)] ?? Number.NaN, sorted[Math.ceil(position)] ?? Number.NaN];
  return below + (above - below) * (position % 1);
}

export function sentenceOf({ name, median, noise, recorded, isWorse }: Verdict): string {
  const before = recorded === undefined ? "nothing on record" : `on record ${recorded.median.toFixed(3)} ± ${recorded.noise.toFixed(3)}`;
  return `${isWorse ? "WORSE" : "ok"}: ${name}: ${median.toFixed(3)} ± ${noise.toFixed(3)}, ${before}`;
}
