import { quoted } from "./sentences.ts";
import { isTsserveError, TsserveError } from "./tsserve-error.ts";

/** One thing that is wrong with a configuration, and where. */
export interface Problem {
  /** The full dotted key, or `''` where the problem is not with one key. */
  readonly key: string;
  /** What was expected, in words for the person who wrote the file. */
  readonly message: string;
  /** The text that was found; `undefined` where there was none. */
  readonly value: string | undefined;
  readonly file?: string;
  /** 1-based. */
  readonly line?: number;
  readonly section?: string;
}

/** Everything that is wrong with a configuration, at once. */
export class ConfigurationError extends TsserveError {
  override readonly name = "ConfigurationError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super("ERR_TSSERVE_CONFIGURATION", problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}

/** A file that is no INI file at all has a problem in each line: nobody reads more than these. */
export const mostProblems = 200;

/** `myapp.ini:4: [server:main] drain_time: expected …, found "soon"`. */
export function formatProblem(problem: Problem): string {
  const place = problem.file === undefined ? "" : `${problem.file}${problem.line === undefined ? "" : `:${problem.line}`}: `;
  const section = problem.section === undefined ? "" : `[${printable(problem.section)}] `;
  const key = problem.key === "" ? "" : `${printable(problem.key)}: `;
  const found = problem.value === undefined ? "" : `, found ${quoted(problem.value)}`;
  return `${place}${section}${key}${problem.message}${found}`;
}

const longestName = 120;

/** A name out of a file, on one line of a terminal: neither long nor with characters that would move its cursor. */
function printable(name: string): string {
  const shown = name.length > longestName ? `${name.slice(0, longestName)}…` : name;
  return shown.replaceAll(/\p{Cc}/gu, (character) =>
    JSON.stringify(character)
      .slice(1, -1)
      .replace(/^\p{Cc}$/u, "\ufffd"),
  );
}

/** Whether it is a `ConfigurationError`, whichever copy of the package made it: an app may have one of its own. */
export function isConfigurationError(thrown: unknown): thrown is ConfigurationError {
  return isTsserveError(thrown, "ERR_TSSERVE_CONFIGURATION") && Array.isArray((thrown as ConfigurationError).problems);
}
