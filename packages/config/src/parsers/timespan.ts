import ms from "ms";
import type { Parser } from "../spec.ts";

/**
 * A length of time, in milliseconds: a number and a unit word (`100 milliseconds`, `1 second`,
 * `5 minutes`, `2 hours`, `1 day`), or what `ms` reads (`30s`, `1.5h`). A bare number is refused:
 * nobody can see its unit.
 */
export const timespan: Parser<number> = (text) => {
  const trimmed = text.trim().replaceAll(/\s+/g, " ");
  // `ms` throws on long texts, reads "" as an error and a bare number as milliseconds.
  const value = trimmed.length > 100 || /^[+-]?[\d.]*$/.test(trimmed) ? undefined : (ms(trimmed as ms.StringValue) as number | undefined);
  if (value === undefined) throw new Error("expected a number and a unit, such as 30 seconds");
  if (value < 0) throw new Error("expected a timespan that is not negative");
  return value;
};

/** A timespan, or the word `infinite`, which gives `Infinity`. */
export const timespanOrInfinite: Parser<number> = (text) => (text.trim() === "infinite" ? Infinity : timespan(text));

/** A timespan, where a bare number means seconds: what the server's own settings take. */
export const timespanOrSeconds: Parser<number> = (text) => {
  const bare = /^(\d+(?:\.\d+)?)$/.exec(text.trim());
  if (bare !== null) return Number(bare[1]) * 1000;
  try {
    return timespan(text);
  } catch (error) {
    throw new Error(`${(error as Error).message}, or a number of seconds`, { cause: error });
  }
};
