/** An unset variable with an empty default: it expands to nothing, and keeps what stands beside it from being trimmed or taken for a comment. */
const nothing = "${TSSERVE_NOTHING:-}";

/**
 * The line or lines of a file that read back as this value, references expanded: dollars are escaped, blanks at the ends
 * kept, further lines indented.
 */
export function writeEntry(key: string, value: string): string {
  return `${key} = ${writeValue(value)}`.trimEnd();
}

function writeValue(value: string): string {
  const escaped = value.replaceAll("$", "\\$");
  if (!escaped.includes("\n") && !escaped.includes('"') && escaped !== escaped.trim()) return `"${escaped}"`;
  const lines = escaped.split("\n");
  const written = lines.map((line, index) => writeLine(line, index, index === lines.length - 1));
  const text = written.join("\n    ");
  return wouldBeUnquoted(escaped) ? `${nothing}${text}` : text;
}

function writeLine(line: string, index: number, isLast: boolean): string {
  const isFirst = index === 0;
  const isComment = !isFirst && /^[;#]/.test(line);
  const before = isComment || line !== line.trimStart() ? nothing : "";
  // Blank lines at the end of a value would not count.
  const after = line !== line.trimEnd() || (line === "" && isLast && !isFirst) ? nothing : "";
  return `${before}${line}${after}`;
}

/** As the reader takes a pair of double quotes round a whole value. */
function wouldBeUnquoted(text: string): boolean {
  return text.length >= 2 && text.startsWith('"') && text.indexOf('"', 1) === text.length - 1;
}
