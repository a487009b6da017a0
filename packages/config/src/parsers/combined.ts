import { absent, covers, isReader, joinKey, orProblem, read, readSpec, type Parsed, type Parser, type Reader, type Spec } from "../spec.ts";

/** A list, separated by commas; blanks round the items and empty items are dropped, and at least one must be left. */
export function tupleOf<T>(item: Parser<T>): Parser<readonly T[]> {
  return (text) => {
    const items = text
      .split(",")
      .map((each) => each.trim())
      .filter((each) => each !== "");
    if (items.length === 0) throw new Error("expected at least one value, separated by commas");
    return Object.freeze(items.map(item));
  };
}

/** The default (or `undefined`) where the value is missing or empty. A bad value stays an error. */
export function optional<T>(inner: Parser<T> | Reader<T>): Reader<T | undefined>;
export function optional<T, D>(inner: Parser<T> | Reader<T>, defaultValue: D): Reader<T | D>;
export function optional(inner: Parser<unknown> | Reader<unknown>, defaultValue?: unknown): Reader<unknown> {
  return {
    ...(isReader(inner) && inner[covers] !== undefined ? { [covers]: inner[covers] } : {}),
    [read]: (source, key) => {
      const value = readSpec(source, key, inner);
      return value === absent ? defaultValue : value;
    },
  };
}

/**
 * Tells three states of a key that manages something elsewhere: absent leaves it alone (`undefined`, within `optional`), empty
 * or `false` removes it (`null`), anything else is read by the parser.
 */
export function tristate<T>(parser: Parser<T>): Reader<T | null> {
  return {
    [read]: (source, key) => {
      const text = source.raw[key];
      if (text === undefined) return absent;
      if (text.trim() === "" || text.trim().toLowerCase() === "false") return null;
      return readSpec(source, key, parser) as T;
    },
  };
}

/** What the first parser reads, or else the second. */
export function fallback<A, B>(first: Parser<A>, second: Parser<B>): Parser<A | B> {
  return (text) => {
    try {
      return first(text);
    } catch (firstError) {
      try {
        return second(text);
      } catch (secondError) {
        throw new Error(`${(firstError as Error).message}; or ${(secondError as Error).message}`, { cause: secondError });
      }
    }
  };
}

/** The value of the key, or where it is missing or empty, that of the environment variable, read by the same parser. */
export function defaultFromEnv<T>(inner: Parser<T>, name: string): Reader<T> {
  return {
    [read]: (source, key) => {
      const value = readSpec(source, key, inner);
      if (value !== absent) return value as T;
      const raw = { [key]: source.env[name] };
      const problems: typeof source.problems = [];
      const fromEnv = readSpec({ ...source, raw, problems }, key, inner);
      source.problems.push(
        ...problems.map((problem) => ({ ...problem, message: `${problem.message} in the environment variable ${name}` })),
      );
      return fromEnv as T | typeof absent;
    },
  };
}

/**
 * All keys below the prefix, as a dictionary: for a parser, what follows the prefix is the name (dots
 * kept); for a nested spec, the next part is. No key gives an empty dictionary.
 */
export function dictOf<const S extends Spec>(inner: S): Reader<Readonly<Record<string, Parsed<S>>>> {
  const nested = typeof inner === "object" && !isReader(inner);
  return {
    [covers]: (prefix, candidate) => candidate.startsWith(joinKey(prefix, "")),
    [read]: (source, key) => {
      const start = key === "" ? "" : `${key}.`;
      const names = Object.keys(source.raw)
        .filter((candidate) => candidate.startsWith(start) && candidate.length > start.length)
        .map((candidate) => candidate.slice(start.length))
        .map((rest) => (nested ? (rest.split(".", 1)[0] ?? rest) : rest));
      const entries = [...new Set(names)].map((name) => [name, orProblem(source, joinKey(key, name), inner)]);
      return Object.freeze(Object.fromEntries(entries));
    },
  };
}
