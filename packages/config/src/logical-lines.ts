/** A section header, or a key with its value, continuation lines and all. */
export interface LogicalLine {
  readonly kind: "section" | "entry";
  /** Where it begins, 1-based. */
  readonly line: number;
  /** Of the section, or the key; empty where the line has none, which is an error. */
  readonly name: string;
  /** Of the key; the line as it was written where there is no name. */
  readonly value: string;
}

interface OpenEntry {
  readonly line: number;
  readonly name: string;
  readonly indent: number;
  readonly lines: string[];
}

/**
 * Cuts INI text as Python's `RawConfigParser` does: whole-line comments go, lines that are indented more than a key continue its
 * value, blank lines inside a value count. Each character is looked at a fixed number of times.
 */
export function* logicalLines(text: string): Generator<LogicalLine> {
  let entry: OpenEntry | undefined;
  let number = 0;
  for (const raw of physicalLines(text)) {
    number += 1;
    const trimmed = raw.trim();
    if (trimmed.startsWith(";") || trimmed.startsWith("#")) continue;
    if (trimmed === "") {
      entry?.lines.push("");
      continue;
    }
    const indent = raw.length - raw.trimStart().length;
    if (entry !== undefined && indent > entry.indent) {
      entry.lines.push(trimmed);
      continue;
    }
    if (entry !== undefined) yield closed(entry);
    entry = undefined;
    if (trimmed.startsWith("[")) {
      yield { kind: "section", line: number, name: sectionName(trimmed), value: trimmed };
      continue;
    }
    const separator = trimmed.search(/[=:]/);
    const name = separator === -1 ? "" : trimmed.slice(0, separator).trim();
    if (name === "") yield { kind: "entry", line: number, name, value: trimmed };
    else entry = { line: number, name, indent, lines: [trimmed.slice(separator + 1).trim()] };
  }
  if (entry !== undefined) yield closed(entry);
}

/** A byte-order mark would otherwise become part of the first section's name. */
function physicalLines(text: string): string[] {
  return (text.startsWith("\uFEFF") ? text.slice(1) : text).split(/\r\n|\n|\r/);
}

/** What stands in the brackets; a comment may follow them. */
function sectionName(written: string): string {
  const close = endOfHeader(written);
  return close === -1 ? "" : written.slice(1, close).trim();
}

/** The last `]` that nothing follows but a comment; -1 where there is none. */
function endOfHeader(written: string): number {
  const last = written.lastIndexOf("]");
  const rest = written.slice(last + 1).trimStart();
  if (rest === "" || rest.startsWith(";") || rest.startsWith("#")) return last;
  // A bracket in the comment is none of the header's.
  for (let close = written.indexOf("]"); close !== -1; close = written.indexOf("]", close + 1)) {
    const next = firstNonBlank(written, close + 1);
    if (next === ";" || next === "#") return close;
  }
  return -1;
}

function firstNonBlank(text: string, from: number): string | undefined {
  for (let i = from; i < text.length; i++) if (text[i] !== " " && text[i] !== "\t") return text[i];
  return undefined;
}

/** Blank lines inside a value count, those that only end it do not. A pair of double quotes round the whole is removed. */
function closed({ line, name, lines }: OpenEntry): LogicalLine {
  let length = lines.length;
  while (length > 0 && lines[length - 1] === "") length -= 1;
  return { kind: "entry", line, name, value: unquoted(lines.slice(0, length).join("\n")) };
}

function unquoted(value: string): string {
  const isQuoted = value.length >= 2 && value.startsWith('"') && value.indexOf('"', 1) === value.length - 1;
  return isQuoted ? value.slice(1, -1) : value;
}
