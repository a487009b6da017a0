/** The lower quartile, the median and the upper quartile. */
export function quartiles(values: readonly number[]): readonly [number, number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (quantile: number): number => {
    const position = (sorted.length - 1) * quantile;
    const [below, above] = [sorted[Math.floor(position)] ?? Number.NaN, sorted[Math.ceil(position)] ?? Number.NaN];
    return below + (above - below) * (position % 1);
  };
  return [at(0.25), at(0.5), at(0.75)];
}

/** `0.71 (0.69 to 0.73)`. */
export function spread(values: readonly number[], digits: number): string {
  const [low, middle, high] = quartiles(values).map((value) => value.toFixed(digits));
  return `${middle} (${low} to ${high})`;
}
