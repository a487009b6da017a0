import { variable } from "../expand.ts";
import {
  absent,
  covers,
  inherited,
  isReader,
  joinKey,
  orProblem,
  read,
  readSpec,
  secrecyOf,
  type Parsed,
  type Parser,
  type Reader,
  type Spec,
} from "../spec.ts";

/** A list, separated by commas; blanks round the items and empty items are dropped. A lone `,` is a list without items. */
export function tupleOf<T>(item: Parser<T>): Parser<readonly T[]> {
  const parse: Parser<readonly T[]> = (text) => {
    const items = text
      .split(",")
      .map((each) => each.trim())
      .filter((each) => each !== "");
    return Object.freeze(items.map((each) => item(each)));
  };
  return Object.assign(parse, secrecyOf(item));
}

/** The default (or `undefined`) where the value is missing or empty. A bad value stays an error. */
export function optional<T>(inner: Parser<T> | Reader<T>): Reader<T | undefined>;
export function optional<T, D>(inner: Parser<T> | Reader<T>, defaultValue: D): Reader<T | D>;
export function optional(inner: Parser<unknown> | Reader<unknown>, defaultValue?: unknown): Reader<unknown> {
  return {
    ...inherited(inner),
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
  const parse: Parser<A | B> = (text) => {
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
  return Object.assign(parse, secrecyOf(second), secrecyOf(first));
}

/** The value of the key, or where it is missing or empty, that of the environment variable, read by the same parser. */
export function defaultFromEnv<T>(inner: Parser<T>, name: string): Reader<T> {
  return {
    ...inherited(inner),
    [read]: (source, key) => {
      const value = readSpec(source, key, inner);
      if (value !== absent) return value as T;
      const raw = { [key]: variable(source.env, name) };
      const problems: typeof source.problems = [];
      const fromEnv = readSpec({ ...source, raw, problems }, key, inner);
      for (const problem of problems)
        source.problems.push({ ...problem, message: `${problem.message} in the environment variable ${name}` });
      return fromEnv as T | typeof absent;
    },
  };
}

/**
 * All keys below the prefix, as a dictionary: for a parser, what follows the prefix is the name (dots
 * kept); for a nested spec, or another dictionary, the next part is. No key gives an empty dictionary. It
 * has no prototype: a name that nobody wrote is `undefined` in it, whatever the name.
 */
export function dictOf<const S extends Spec>(inner: S): Reader<Readonly<Record<string, Parsed<S>>>> {
  const nested = typeof inner === "object" && (!isReader(inner) || inner[covers] !== undefined);
  return {
    ...secrecyOf(inner),
    [covers]: (prefix, candidate) => candidate.startsWith(prefix === "" ? "" : `${prefix}.`),
    [read]: (source, key) => {
      const start = key === "" ? "" : `${key}.`;
      const names = Object.keys(source.raw)
        .filter((candidate) => candidate.startsWith(start) && candidate.length > start.length)
        .map((candidate) => candidate.slice(start.length))
        .map((rest) => (nested ? (rest.split(".", 1)[0] ?? rest) : rest));
      return withoutPrototype([...new Set(names)].map((name) => [name, orProblem(source, joinKey(key, name), inner) as Parsed<S>]));
    },
  };
}

function withoutPrototype<T>(entries: readonly (readonly [string, T])[]): Readonly<Record<string, T>> {
  const dictionary = Object.create(null) as Record<string, T>;
  for (const [name, value] of entries) dictionary[name] = value;
  return Object.freeze(dictionary);
}
