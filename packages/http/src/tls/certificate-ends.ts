const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** A certificate that ends within so many days is warned of, once a day. */
const warnDays = 14;
/** A certificate is valid through the second in which it ends. */
const afterEndMs = 1000;

/** What is to be said of the end of a certificate. */
export interface EndNotice {
  readonly level: "error" | "warn";
  /** What follows the name of the certificate. */
  readonly text: string;
}

/**
 * @param notAfter when it ends, in milliseconds since 1970, as `nowMs`
 * @returns `undefined` where it is valid for longer than anybody has to know
 */
export function endNotice(notAfter: number, nowMs: number): EndNotice | undefined {
  const leftMs = notAfter - nowMs;
  if (leftMs < 0) return { level: "error", text: "has ended: clients refuse it" };
  const days = Math.floor(leftMs / dayMs);
  if (days >= warnDays) return undefined;
  const hours = Math.floor(leftMs / hourMs);
  const left = days >= 2 ? `${days} days` : hours >= 2 ? `${hours} hours` : `${Math.floor(leftMs / 60_000)} minutes`;
  return { level: "warn", text: `ends in ${left}` };
}

/** After how long the ends have to be looked at again: each day, and when one has come. */
export function nextLookMs(ends: readonly number[], nowMs: number): number {
  const coming = ends.filter((end) => end >= nowMs).map((end) => end + afterEndMs - nowMs);
  return Math.min(dayMs, ...coming);
}
