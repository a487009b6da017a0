const firstMs = 100;
/** Whoever waits for a broker wants to be back soon after it; a few workers that try this often burden nobody. */
const longestMs = 3000;

/** How long to wait before a try: doubles from 0.1 to 3 s, with jitter, so that a fleet does not come all at once. */
export function backOff(failures: number, random: () => number = Math.random): number {
  const full = Math.min(longestMs, firstMs * 2 ** Math.min(failures, 10));
  return full * (0.5 + random() / 2);
}
