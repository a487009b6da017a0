import type { Environment } from "./expand.ts";
import { learnerOf } from "./learner.ts";
import { didYouMean } from "./nearest.ts";
import { ConfigurationError, type Problem } from "./problem.ts";
import { covers, isReader, joinKey, orProblem, type Parsed, type Spec } from "./spec.ts";

export interface ParseConfigOptions {
  /** Where `defaultFromEnv` looks; default `process.env`. */
  readonly env?: Environment;
  /** What to do about keys that the spec does not name: leave them alone (the default), or report each. */
  readonly unknownKeys?: "ignore" | "reject";
}

/**
 * Turns flat options into typed, frozen values. The type follows from the spec:
 *
 *     const settings = parseConfig(config, { cache: { ttl: timespan, hosts: tupleOf(endpoint) } });
 *     settings.cache.ttl; // number, in milliseconds, from the key `cache.ttl`
 *
 * @throws {ConfigurationError} with every problem at once
 */
export function parseConfig<const S extends Spec>(
  raw: Readonly<Record<string, string | undefined>>,
  spec: S,
  options: ParseConfigOptions = {},
): Parsed<S> {
  const problems: Problem[] = [];
  const value = orProblem({ raw, env: options.env ?? process.env, problems, learn: learnerOf(raw) }, "", spec);
  if (options.unknownKeys === "reject") for (const problem of unknownKeys(raw, spec)) problems.push(problem);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return value as Parsed<S>;
}

/** A problem for each key that the spec does not name, with the nearest one that it does. */
export function unknownKeys(raw: Readonly<Record<string, string | undefined>>, spec: Spec): Problem[] {
  const known = [...keysOf(spec, "")];
  return Object.keys(raw)
    .filter((key) => !known.some(({ name, matches }) => name === key || matches(key)))
    .map((key) => {
      const guess = didYouMean(
        key,
        known.map(({ name }) => name),
      );
      return { key, message: `unknown key${guess === "" ? ", expected one that this server knows" : guess}`, value: undefined };
    });
}

export interface KnownKey {
  readonly name: string;
  readonly spec: Spec;
  readonly matches: (candidate: string) => boolean;
}

/** The keys that a spec names, in its order. */
export function* keysOf(spec: Spec, prefix = ""): Generator<KnownKey> {
  if (typeof spec === "function" || isReader(spec)) {
    const below = typeof spec === "function" ? undefined : spec[covers];
    yield { name: prefix, spec, matches: (candidate) => below?.(prefix, candidate) ?? false };
    return;
  }
  for (const [name, inner] of Object.entries(spec)) yield* keysOf(inner, joinKey(prefix, name));
}
