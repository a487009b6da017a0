/**
 * The value below which a part of what was counted lies, as Prometheus estimates it: within a bucket everything is spread evenly.
 *
 * @param bounds upper bounds of the buckets, ascending; what is above them all is told as the last one
 * @param counts by bucket; one more than there are bounds
 * @returns `undefined` where nothing was counted
 */
export function quantileOf(part: number, bounds: readonly number[], counts: readonly number[]): number | undefined {
  const total = counts.reduce((sum, count) => sum + Math.max(0, count), 0);
  if (total <= 0) return undefined;
  let below = 0;
  for (let n = 0; n < bounds.length; n++) {
    const count = Math.max(0, counts[n] ?? 0);
    if (count > 0 && below + count >= part * total) {
      const low = n === 0 ? 0 : (bounds[n - 1] as number);
      return low + (((bounds[n] as number) - low) * (part * total - below)) / count;
    }
    below += count;
  }
  return bounds.at(-1);
}
