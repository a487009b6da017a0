import { expand, variable, type Environment } from "./expand.ts";
import type { IniDocument, IniEntry } from "./ini.ts";
import { withLearner } from "./learner.ts";
import { isSecretEntry, masked, maskPatterns, withoutSecret } from "./mask.ts";
import type { Masker } from "./masker.ts";
import { didYouMean } from "./nearest.ts";
import { ConfigurationError, type Problem } from "./problem.ts";

/** A section ready for use: `[DEFAULT]` inherited, references expanded. */
export interface ResolvedSection {
  readonly name: string;
  /** Values by key; the keys of `[DEFAULT]` come first. Has no prototype: a key that nobody wrote is `undefined`, whatever its name. */
  readonly values: Readonly<Record<string, string>>;
  /** Whether a key comes from `[DEFAULT]` alone: it may well be meant for other sections. */
  isInherited(key: string): boolean;
  /** References to variables that are not set, with their places; their values stand as they are written. */
  readonly problems: readonly Problem[];
  /** Adds file, line and section to problems that know only their key, and takes out what is secret. */
  locate(problems: readonly Problem[]): Problem[];
}

const defaultSection = "DEFAULT";

/**
 * The values of one section, over those of `[DEFAULT]`, with references to the environment expanded.
 *
 * @param masker learns the secrets: by the names of keys and of variables, by the values, and later by the specs that read them
 * @throws {ConfigurationError} when the section is missing
 */
export function resolveSection(document: IniDocument, name: string, env: Environment, masker?: Masker): ResolvedSection {
  const section = document.sections.get(name);
  if (section === undefined || name === defaultSection) throw missing(document, name);
  const entries = new Map<string, IniEntry>([...(document.sections.get(defaultSection)?.entries ?? []), ...section.entries]);
  const isInherited = (key: string): boolean => entries.has(key) && !section.entries.has(key);
  const problems: Problem[] = [];
  const values = Object.create(null) as Record<string, string>;
  for (const entry of entries.values()) {
    const { key, value } = entry;
    const expansion = expand(value, env);
    values[key] = expansion.text;
    const isSecret = isSecretEntry(name, key, expansion.text);
    masker?.learnFrom([expansion.text]);
    if (isSecret) masker?.learnValue(name, key, expansion.text);
    masker?.learnVariables(expansion.used.map((variableName) => [variableName, variable(env, variableName) ?? ""]));
    for (const { message, at } of expansion.problems) {
      const where = at === undefined ? "" : ` at ${JSON.stringify(at)}`;
      const told =
        isSecret && at !== undefined ? "expected ${NAME} or ${NAME:-default} (write \\$ for a literal dollar)" : `${message}${where}`;
      problems.push({ key, message: told, value: isSecret ? masked : maskPatterns(value) });
    }
  }
  const locate = (found: readonly Problem[]): Problem[] =>
    found.map((problem) => ({
      ...withoutSecrets(problem, values, name, masker),
      file: document.file,
      line: entries.get(problem.key)?.line ?? section.line,
      section: isInherited(problem.key) ? defaultSection : section.name,
    }));
  withLearner(values, masker && ((key, text) => masker.learnValue(name, key, text)));
  return { name, values: Object.freeze(values), isInherited, problems: locate(problems), locate };
}

/** A problem that an app's own copy of this package found, or a factory of its own, may still tell a secret. */
function withoutSecrets(problem: Problem, values: Readonly<Record<string, string>>, section: string, masker: Masker | undefined): Problem {
  const { key, message, value } = problem;
  const read = Object.hasOwn(values, key) ? (values[key] ?? "") : "";
  const isSecret = isSecretEntry(section, key, read) || masker?.isSecret(section, key) === true;
  const mask = (text: string): string => masker?.mask(text) ?? maskPatterns(text);
  if (!isSecret) return { ...problem, message: mask(message), value: value === undefined ? undefined : mask(value) };
  return { ...problem, message: mask(withoutSecret(message, read)), value: value === undefined ? undefined : masked };
}

function missing(document: IniDocument, name: string): ConfigurationError {
  const names = [...document.sections.keys()].filter((known) => known !== defaultSection);
  const known = names.length === 0 ? "the file has no sections" : `the file has ${names.map((each) => `[${each}]`).join(", ")}`;
  const message = `the section [${name}] is missing; ${known}${didYouMean(name, names)}`;
  return new ConfigurationError([{ key: "", message, value: undefined, file: document.file }]);
}
