/**
 * What a terminal, or a reader of lines, may take for something else than text: C0 and C1 controls (ESC, BEL, CSI), DEL, the line
 * and paragraph separators of Unicode, and the marks that turn the direction of writing.
 */
// oxlint-disable-next-line no-control-regex -- that is what is looked for
const controls = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** As above, but for C0: in a line of JSON they are escaped already, where they are a part of a text. */
const controlsOfJson = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

/** A text on one line in which every control character can be read: `\n`, `\t`, `\u001b`. */
export function escapeControls(text: string): string {
  return text.replace(controls, escapeOf);
}

/** A line of JSON, still JSON and still meaning the same, in which no control character stands as it is. */
export function escapeJsonLine(line: string): string {
  if (!controlsOfJson.test(line)) return line;
  const end = line.endsWith("\n") ? "\n" : "";
  return escapeControls(end === "" ? line : line.slice(0, -1)) + end;
}

const short: Readonly<Record<string, string>> = Object.assign(Object.create(null) as object, { "\n": "\\n", "\r": "\\r", "\t": "\\t" });

function escapeOf(character: string): string {
  return short[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
