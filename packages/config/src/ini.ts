import ini from "ini";
import { logicalLines, type LogicalLine } from "./logical-lines.ts";
import { isSecretKey, masked, maskPatterns } from "./mask.ts";
import { ConfigurationError, mostProblems, type Problem } from "./problem.ts";

/** One `key = value` of a file, as it was written (nothing expanded). */
export interface IniEntry {
  readonly key: string;
  readonly value: string;
  /** Where the key stands, 1-based. */
  readonly line: number;
}

export interface IniSection {
  readonly name: string;
  readonly line: number;
  readonly entries: ReadonlyMap<string, IniEntry>;
}

/** A parsed file: sections by name, in the order of the file. */
export interface IniDocument {
  /** The name the file goes by in messages. */
  readonly file: string;
  readonly sections: ReadonlyMap<string, IniSection>;
}

/**
 * Reads INI text in the dialect of Python's `RawConfigParser`, with section and key names kept as
 * they are written. Values stay text; a `;` or `#` inside a value belongs to it.
 *
 * `ini` reads it, but would lose some of it: comment characters inside values, colons, continuation lines, dots in section
 * names, what stands twice, names such as `__proto__`, the numbers of lines. So it is handed one line for each section and
 * key, in quotes, with the number of the line before the name.
 *
 * @param file the name used in messages
 * @throws {ConfigurationError} with every bad line of the text
 */
export function parseIni(text: string, file = "<text>"): IniDocument {
  const { lines, problems } = checked(logicalLines(text), file);
  if (problems.length > 0) throw new ConfigurationError(problems);
  const parsed = ini.parse(lines.map(forIni).join("\n"), { bracketedArray: false }) as Record<string, Record<string, unknown>>;
  const found: IniSection[] = [];
  for (const [numbered, values] of Object.entries(parsed)) {
    const { line, name } = withoutNumber(numbered);
    const entries = new Map<string, IniEntry>();
    for (const [numberedKey, value] of Object.entries(values)) {
      const { line: keyLine, name: key } = withoutNumber(numberedKey);
      // `ini` makes true, false and null of these texts, in quotes too.
      entries.set(key, { key, value: String(value), line: keyLine });
    }
    found.push({ name, line, entries });
  }
  // `ini` puts those with a dot in their name last.
  found.sort((a, b) => a.line - b.line);
  return { file, sections: new Map(found.map((section) => [section.name, section])) };
}

/** The line as `ini` reads it without loss. */
function forIni({ kind, line, name, value }: LogicalLine): string {
  // `ini` nests the sections at dots, and knows `\.` for a dot that is one.
  if (kind === "section") return `[${quoted(`${line} ${name.replaceAll(".", "\\.")}`)}]`;
  return `${quoted(`${line} ${name}`)}=${quoted(value)}`;
}

/** A JSON text without the characters that `ini` looks for: its lines end at U+2028 and U+2029, too. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\]=\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function withoutNumber(numbered: string): { line: number; name: string } {
  const blank = numbered.indexOf(" ");
  return { line: Number(numbered.slice(0, blank)), name: numbered.slice(blank + 1) };
}

/** The lines that count, and what is wrong with the others. */
function checked(found: Iterable<LogicalLine>, file: string): { lines: LogicalLine[]; problems: Problem[] } {
  const lines: LogicalLine[] = [];
  const problems: Problem[] = [];
  const sections = new Map<string, number>();
  let keys = new Map<string, number>();
  let section: string | undefined;
  let before = "";
  const report = ({ line }: LogicalLine, message: string, value?: string, key = ""): void => {
    problems.push({ key, message, value, file, line, ...(section === undefined ? {} : { section }) });
  };
  for (const each of found) {
    if (problems.length >= mostProblems) break;
    const { kind, line, name, value } = each;
    if (kind === "section") {
      keys = new Map();
      section = undefined;
      const twin = sections.get(name);
      if (name === "") report(each, "expected a section header such as [app:main]", maskPatterns(value));
      // The keys below a bad header belong to nobody knows whom: they are not told one by one.
      section = name === "" ? value : name;
      if (twin !== undefined) report(each, `section [${name}] is already defined at line ${twin}`);
      sections.set(name, twin ?? line);
      lines.push(each);
    } else if (name === "") {
      report(each, 'expected "key = value", a [section] or a comment', secretLine(value, before) ? masked : maskPatterns(value));
    } else if (section === undefined) {
      report(each, "expected a [section] header before the first key", undefined, name);
    } else {
      const twin = keys.get(name);
      if (twin !== undefined) report(each, `the key is already set at line ${twin}`, undefined, name);
      keys.set(name, twin ?? line);
      lines.push(each);
    }
    before = kind === "entry" ? name : "";
  }
  return { lines, problems };
}

/** `password hunter2`, or what follows a secret and was meant to continue it. */
function secretLine(written: string, before: string): boolean {
  return isSecretKey(written.split(/\s/, 1)[0] ?? "") || (before !== "" && isSecretKey(before));
}
