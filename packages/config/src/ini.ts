import { ConfigurationError, type Problem } from "./problem.ts";

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

interface OpenEntry {
  key: string;
  lines: string[];
  line: number;
  indent: number;
}

interface OpenSection {
  name: string;
  line: number;
  entries: Map<string, IniEntry>;
}

/**
 * Reads INI text in the dialect of Python's `RawConfigParser`, with section and key names kept as
 * they are written. Values stay text; a `;` or `#` inside a value belongs to it.
 *
 * @param file the name used in messages
 * @throws {ConfigurationError} with every bad line of the text
 */
export function parseIni(text: string, file = "<text>"): IniDocument {
  const sections = new Map<string, OpenSection>();
  const problems: Problem[] = [];
  let section: OpenSection | undefined;
  let entry: OpenEntry | undefined;

  const report = (line: number, message: string, value: string | undefined, key = ""): void => {
    problems.push({ key, message, value, file, line, ...(section === undefined ? {} : { section: section.name }) });
  };

  const closeEntry = (): void => {
    if (entry !== undefined && section !== undefined) {
      const { key, lines, line } = entry;
      section.entries.set(key, { key, value: unquote(joinLines(lines)), line });
    }
    entry = undefined;
  };

  const openSection = (line: number, written: string): void => {
    closeEntry();
    const header = /^\[(.*)\]\s*(?:[;#].*)?$/.exec(written);
    const name = header?.[1]?.trim() ?? "";
    if (name === "") {
      section = undefined;
      report(line, "expected a section header such as [app:main]", written);
      // The keys below belong to nobody knows whom: keep them from being reported one by one.
      section = { name: written, line, entries: new Map() };
      return;
    }
    const twin = sections.get(name);
    section = { name, line, entries: new Map() };
    if (twin !== undefined) {
      report(line, `section [${name}] is already defined at line ${twin.line}`, undefined);
      return;
    }
    sections.set(name, section);
  };

  const openEntry = (line: number, indent: number, written: string): void => {
    closeEntry();
    const separator = written.search(/[=:]/);
    const key = separator === -1 ? "" : written.slice(0, separator).trim();
    if (key === "") {
      report(line, 'expected "key = value", a [section] or a comment', written);
      return;
    }
    if (section === undefined) {
      report(line, "expected a [section] header before the first key", undefined, key);
      return;
    }
    const twin = section.entries.get(key);
    if (twin !== undefined) {
      report(line, `the key is already set at line ${twin.line}`, undefined, key);
      return;
    }
    entry = { key, lines: [written.slice(separator + 1).trim()], line, indent };
  };

  for (const [index, raw] of splitLines(text).entries()) {
    const trimmed = raw.trim();
    const indent = raw.length - raw.trimStart().length;
    if (trimmed.startsWith(";") || trimmed.startsWith("#")) continue;
    if (trimmed === "") entry?.lines.push("");
    else if (entry !== undefined && indent > entry.indent) entry.lines.push(trimmed);
    else if (trimmed.startsWith("[")) openSection(index + 1, trimmed);
    else openEntry(index + 1, indent, trimmed);
  }
  closeEntry();
  if (problems.length > 0) throw new ConfigurationError(problems);
  return { file, sections };
}

function splitLines(text: string): string[] {
  // A byte-order mark would otherwise become part of the first section's name.
  return text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
}

/** Blank lines inside a value count, those that only end it do not. */
function joinLines(lines: readonly string[]): string {
  return lines.join("\n").replace(/\n+$/, "");
}

function unquote(value: string): string {
  const quoted = /^"([^"]*)"$/.exec(value);
  return quoted?.[1] ?? value;
}
