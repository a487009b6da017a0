/**
 * The form in which Einhorn's shell speaks to its master: a YAML document on one line, its newlines and percent signs
 * written as `%0A` and `%25`. Only what `einhornsh` writes is read: a mapping of words, numbers and lists of such. JSON
 * is YAML too, so that answers are JSON with percent signs escaped.
 */

export type EinhornMessage = Readonly<Record<string, unknown>>;

/** @returns `undefined` when it is none */
export function parseEinhornMessage(line: string): EinhornMessage | undefined {
  const message: Record<string, unknown> = {};
  let list: unknown[] | undefined;
  for (const text of unescape(line).split("\n")) {
    if (text.trim() === "" || text.trim() === "---") continue;
    const item = /^ *- +(.*)$/.exec(text);
    const pair = /^:?(\w+):(?: +(.*))?$/.exec(text);
    if (item?.[1] !== undefined && list !== undefined) list.push(scalar(item[1]));
    else if (pair?.[1] !== undefined) {
      list = pair[2] === undefined ? [] : undefined;
      message[pair[1]] = list ?? scalar(pair[2] ?? "");
    } else return undefined;
  }
  return Object.keys(message).length === 0 ? undefined : message;
}

export function formatEinhornMessage(message: EinhornMessage): string {
  return JSON.stringify(message).replaceAll("%", "%25");
}

function unescape(line: string): string {
  return line.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function scalar(written: string): unknown {
  const text = written.trim();
  if (text === "[]") return [];
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  if (text === "true" || text === "false") return text === "true";
  const quoted = /^'(.*)'$|^"(.*)"$/.exec(text);
  return quoted === null ? text : (quoted[1]?.replaceAll("''", "'") ?? quoted[2]);
}
