import type { Environment } from "./expand.ts";
import { isFileSetting, isSecretKey, masked, maskPatterns, withoutSecret } from "./mask.ts";
import type { Problem } from "./problem.ts";

/** Turns the text of one value into what it means; throws an `Error` that says what was expected. */
export type Parser<T> = (text: string) => T;

/** What a parse reads from and reports to. */
export interface Source {
  readonly raw: Readonly<Record<string, string | undefined>>;
  readonly env: Environment;
  readonly problems: Problem[];
  /** Whether all that is read is secret: what `secret` was put round. */
  readonly isSecret?: boolean;
  /** Is told each secret that is met, so that it is hidden wherever else it occurs. */
  readonly learn?: ((key: string, text: string) => void) | undefined;
}

/** Marks a value that is not there; becomes a problem unless something gives it a default. */
export const absent: unique symbol = Symbol("absent");
export const read: unique symbol = Symbol("read");
export const covers: unique symbol = Symbol("covers");
/** The texts that a parser takes, where they can be counted: for editors. */
export const choices: unique symbol = Symbol("choices");
export const secretMark: unique symbol = Symbol("secret");

/** A parser that looks at more than the text of its own key: a default, a dictionary, the environment. */
export interface Reader<T> {
  readonly [read]: (source: Source, key: string) => T | typeof absent;
  /** Whether a key below `key` belongs to this reader. */
  readonly [covers]?: (key: string, candidate: string) => boolean;
}

/** A parser, a reader, or an object of specs whose keys join with dots. */
// oxlint-disable-next-line typescript/no-explicit-any -- any parser at all; its result type is inferred by `Parsed`
export type Spec = Parser<any> | Reader<any> | { readonly [key: string]: Spec };

/** The type a spec parses to. */
export type Parsed<S> = S extends Reader<infer T> ? T : S extends Parser<infer T> ? T : { readonly [K in keyof S]: Parsed<S[K]> };

export function isReader(spec: Spec): spec is Reader<unknown> {
  return typeof spec === "object" && read in spec;
}

/** Whether `secret` was put round a leaf of a spec. */
export function isMarkedSecret(spec: Spec): boolean {
  return (spec as { readonly [secretMark]?: boolean })[secretMark] === true;
}

/** The texts that a leaf of a spec takes; `undefined` where they can't be counted. */
export function choicesOf(spec: Spec): readonly string[] | undefined {
  return (spec as { readonly [choices]?: readonly string[] })[choices];
}

/** The mark of `secret`, where there is one: for what is made of secret parts. */
export function secrecyOf(inner: Spec): object {
  return isMarkedSecret(inner) ? { [secretMark]: true } : {};
}

/** What a parser or reader made from another one takes over from it: that its values are secret, which there are, that it reads keys below its own. */
export function inherited(inner: Spec): object {
  return {
    ...secrecyOf(inner),
    ...(choicesOf(inner) === undefined ? {} : { [choices]: choicesOf(inner) }),
    ...(isReader(inner) && inner[covers] !== undefined ? { [covers]: inner[covers] } : {}),
  };
}

/** Reads one spec at one key. Problems go to the source; a failed value reads as `undefined`. */
export function readSpec(source: Source, key: string, spec: Spec): unknown {
  if (typeof spec === "function") return readText(source, key, spec);
  if (isReader(spec)) return spec[read](source, key);
  const entries = Object.entries(spec).map(([name, inner]) => {
    if (name.includes(".")) throw new TypeError(`a spec's key may not contain a dot, nest it instead: "${name}"`);
    return [name, orProblem(source, joinKey(key, name), inner)];
  });
  return Object.freeze(Object.fromEntries(entries));
}

/** As `readSpec`, with a problem for a value that is absent. */
export function orProblem(source: Source, key: string, spec: Spec): unknown {
  const value = readSpec(source, key, spec);
  if (value !== absent) return value;
  const message =
    textOf(source.raw, key) === undefined ? "a value is required, but the key is missing" : "a value is required, but it is empty";
  source.problems.push({ key, message, value: undefined });
  return undefined;
}

/** The text of a key; `undefined` where it is absent, also for names that every object knows, such as `constructor`. */
export function textOf(raw: Readonly<Record<string, string | undefined>>, key: string): string | undefined {
  return Object.hasOwn(raw, key) ? raw[key] : undefined;
}

function readText(source: Source, key: string, parser: Parser<unknown>): unknown {
  const text = textOf(source.raw, key);
  if (text === undefined || text === "") return absent;
  const isMarked = source.isSecret === true || isMarkedSecret(parser);
  const isSecret = isMarked || isSecretKey(key);
  if (isMarked || (isSecret && !isFileSetting(key, text))) source.learn?.(key, text);
  try {
    return parser(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // A parser of the user's may well quote what it was given.
    source.problems.push(
      isSecret
        ? { key, message: withoutSecret(message, text), value: masked }
        : { key, message: maskPatterns(message), value: maskPatterns(text) },
    );
    return undefined;
  }
}

export function joinKey(prefix: string, name: string): string {
  // A key may have a value of its own beside keys below it: `access_log` and `access_log.format`.
  if (name === "") return prefix;
  return prefix === "" ? name : `${prefix}.${name}`;
}
