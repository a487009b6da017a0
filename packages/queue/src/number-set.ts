/** Marks a free place. No key is negative. */
const free = -1;

/** A set of numbers of 0 to 2^53 that only grows until it is emptied: one array, which the garbage collector never walks through. */
export class NumberSet {
  readonly #places: Float64Array;
  readonly #mask: number;
  size = 0;

  /** @param limit how many it takes; at most half of its places are ever taken */
  constructor(limit: number) {
    const places = 2 ** Math.ceil(Math.log2(Math.max(2, 2 * limit)));
    this.#places = new Float64Array(places).fill(free);
    this.#mask = places - 1;
  }

  has(value: number): boolean {
    return this.#places[this.#placeOf(value)] === value;
  }

  add(value: number): void {
    const place = this.#placeOf(value);
    if (this.#places[place] === value) return;
    this.#places[place] = value;
    this.size += 1;
  }

  clear(): void {
    this.#places.fill(free);
    this.size = 0;
  }

  /** Its own place, else the next free one after it. */
  #placeOf(value: number): number {
    // The low bits of a key are as random as any.
    let place = (value >>> 0) & this.#mask;
    for (;;) {
      const found = this.#places[place];
      if (found === value || found === free) return place;
      place = (place + 1) & this.#mask;
    }
  }
}
