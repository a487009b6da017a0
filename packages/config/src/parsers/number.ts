import type { Parser } from "../spec.ts";

/** A decimal integer: an optional sign, digits, single `_` between digits. */
export const integer: Parser<number> = (text) => {
  const match = /^([+-]?\d+(?:_\d+)*)$/.exec(text.trim());
  return safe(match?.[1] === undefined ? Number.NaN : Number(match[1].replaceAll("_", "")), "expected an integer");
};

const prefixes: Readonly<Record<string, number>> = { "0b": 2, "0o": 8, "0x": 16 };

/**
 * An integer in base 2 to 36; the base's own prefix (`0x` for 16, `0o` for 8, `0b` for 2) may stand
 * before it. Base 0 takes the base from the prefix.
 *
 * @throws {RangeError} for another base
 */
export function integerBase(base: number): Parser<number> {
  if (!Number.isInteger(base) || (base !== 0 && (base < 2 || base > 36)))
    throw new RangeError(`expected a base of 0 or 2 to 36, got ${base}`);
  return (text) => {
    const [, sign, prefix, digits] = /^([+-]?)(0[box])?([0-9a-z]+(?:_[0-9a-z]+)*)$/i.exec(text.trim()) ?? [];
    const written = prefix === undefined ? undefined : prefixes[prefix.toLowerCase()];
    // In base 16, "0b1" is the number 0xb1, not a prefix.
    const isPrefix = written !== undefined && (base === 0 || base === written);
    const radix = base === 0 ? (written ?? 10) : base;
    const body = `${isPrefix ? "" : (prefix ?? "")}${digits ?? ""}`.replaceAll("_", "");
    return safe(
      digits === undefined ? Number.NaN : parseDigits(body, radix) * (sign === "-" ? -1 : 1),
      `expected an integer in base ${radix}`,
    );
  };
}

function parseDigits(digits: string, radix: number): number {
  let value = 0;
  for (const digit of digits) {
    const one = Number.parseInt(digit, radix);
    if (Number.isNaN(one)) return Number.NaN;
    value = value * radix + one;
  }
  return value;
}

function safe(value: number, expected: string): number {
  if (Number.isNaN(value)) throw new Error(expected);
  if (!Number.isSafeInteger(value)) throw new Error(`expected an integer of at most ${Number.MAX_SAFE_INTEGER}`);
  return value;
}

/** A decimal number, with an exponent or not; `inf`, `infinity` and `nan` in any case. */
export const float: Parser<number> = (text) => {
  const trimmed = text.trim();
  const special = /^([+-]?)(inf|infinity|nan)$/i.exec(trimmed);
  if (special !== null) return special[2]?.toLowerCase() === "nan" ? Number.NaN : special[1] === "-" ? -Infinity : Infinity;
  if (!/^[+-]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+)?$/i.test(trimmed)) throw new Error("expected a number");
  return Number(trimmed.replaceAll("_", ""));
};

/** `0%` to `100%`, as a fraction of 0 to 1. */
export const percent: Parser<number> = (text) => {
  const digits = /^([+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*%$/.exec(text.trimStart())?.[1];
  if (digits === undefined) throw new Error("expected a percentage such as 37.2%");
  // Not divided by 100: 37.2 / 100 is not the number that is written 0.372.
  const fraction = Number(`${digits}e-2`);
  if (fraction < 0 || fraction > 1) throw new Error("expected a percentage of 0% to 100%");
  return fraction;
};

const byteUnits: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** A size in bytes: `512`, `64K`, `10M`, `1G` (of 1024), a `B` or `iB` after the letter allowed. */
export const byteSize: Parser<number> = (text) => {
  const match = /^(\d+)\s*([kmg]?)(?:i?b)?$/i.exec(text.trim());
  const unit = byteUnits[match?.[2]?.toLowerCase() ?? ""];
  if (match === null || unit === undefined) throw new Error("expected a size such as 512, 64K or 10M");
  return safe(Number(match[1]) * unit, "expected a size");
};

/** An integer within bounds, both allowed; `what` it is, for who is told: `a port`. */
export function integerFrom(what: string, least: number, most: number): Parser<number> {
  return (text) => {
    const value = integer(text);
    if (value < least || value > most) throw new Error(`expected ${what} of ${least} to ${most}`);
    return value;
  };
}

/** A number above 0, where 0 would mean "no limit" or nothing at all. */
export function positive(parser: Parser<number>): Parser<number> {
  return (text) => {
    const value = parser(text);
    if (value <= 0) throw new Error("expected more than 0");
    return value;
  };
}
