import { timespan } from "@tsserve/config";

/** A length of time in the API: a number of milliseconds, or the text of a timespan such as `10 seconds`. @throws {Error} for anything else */
export function millisecondsOf(value: unknown): number {
  if (typeof value === "string") return timespan(value);
  if (typeof value === "number" && value >= 0 && Number.isFinite(value)) return value;
  throw new Error("expected a number of milliseconds, or a timespan such as 30 seconds");
}
