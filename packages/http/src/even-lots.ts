/** The part of a line that the golden section cuts off: its multiples keep the widest gaps between them, however many are drawn. */
const goldenPart = (Math.sqrt(5) - 1) / 2;

/**
 * Draws numbers from 0 to 1 that lie evenly, however many are drawn: each falls into one of the widest gaps that the ones before it
 * left (the additive recurrence of low discrepancy). Chance alone would make heaps, and heaps of connections that end at once are
 * what a lot is to prevent. Where the series begins is left to chance, so that workers do not draw the same.
 *
 * @param random from 0 to 1
 */
export function makeEvenLots(random: () => number): () => number {
  let last = random();
  return () => {
    last = (last + goldenPart) % 1;
    return last;
  };
}
