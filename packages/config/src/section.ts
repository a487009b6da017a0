import { expand, type Environment } from "./expand.ts";
import type { IniDocument, IniEntry } from "./ini.ts";
import { didYouMean } from "./nearest.ts";
import { ConfigurationError, type Problem } from "./problem.ts";

/** A section ready for use: `[DEFAULT]` inherited, references expanded. */
export interface ResolvedSection {
  readonly name: string;
  /** Values by key; the keys of `[DEFAULT]` come first. */
  readonly values: Readonly<Record<string, string>>;
  /** Whether a key comes from `[DEFAULT]` alone: it may well be meant for other sections. */
  isInherited(key: string): boolean;
  /** References to variables that are not set, with their places; their values stand as they are written. */
  readonly problems: readonly Problem[];
  /** Adds file, line and section to problems that know only their key. */
  locate(problems: readonly Problem[]): Problem[];
}

const defaultSection = "DEFAULT";

/**
 * The values of one section, over those of `[DEFAULT]`, with references to the environment expanded.
 *
 * @throws {ConfigurationError} when the section is missing
 */
export function resolveSection(document: IniDocument, name: string, env: Environment): ResolvedSection {
  const section = document.sections.get(name);
  if (section === undefined || name === defaultSection) throw missing(document, name);
  const entries = new Map<string, IniEntry>([...(document.sections.get(defaultSection)?.entries ?? []), ...section.entries]);
  const isInherited = (key: string): boolean => entries.has(key) && !section.entries.has(key);
  const problems: Problem[] = [];
  const values = Object.fromEntries(
    [...entries.values()].map((entry) => {
      const expansion = expand(entry.value, env);
      for (const message of expansion.problems) problems.push({ key: entry.key, message, value: entry.value });
      return [entry.key, expansion.text];
    }),
  );
  const locate = (found: readonly Problem[]): Problem[] =>
    found.map((problem) => ({
      ...problem,
      file: document.file,
      line: entries.get(problem.key)?.line ?? section.line,
      section: isInherited(problem.key) ? defaultSection : section.name,
    }));
  return { name, values: Object.freeze(values), isInherited, problems: locate(problems), locate };
}

function missing(document: IniDocument, name: string): ConfigurationError {
  const names = [...document.sections.keys()].filter((known) => known !== defaultSection);
  const known = names.length === 0 ? "the file has no sections" : `the file has ${names.map((each) => `[${each}]`).join(", ")}`;
  const message = `the section [${name}] is missing; ${known}${didYouMean(name, names)}`;
  return new ConfigurationError([{ key: "", message, value: undefined, file: document.file }]);
}
