/**
 * The form in which Einhorn's shell speaks to its master: a YAML document on one line, its newlines and percent signs
 * written as `%0A` and `%25`. Only what `einhornsh` writes is read: a mapping of words, numbers and lists of such. JSON
 * is YAML too, so that answers are JSON with percent signs escaped.
 */

export type EinhornMessage = Readonly<Record<string, unknown>>;

/**
 * Reads a line. In time that grows with its length alone: whoever may connect may write what they like.
 *
 * @returns `undefined` when it is no such message
 */
export function parseEinhornMessage(line: string): EinhornMessage | undefined {
  const message = new Map<string, unknown>();
  let list: unknown[] | undefined;
  for (const text of unescape(line).split("\n")) {
    const trimmed = text.trim();
    if (trimmed === "" || trimmed === "---") continue;
    if (trimmed.startsWith("- ") && list !== undefined) {
      list.push(scalar(trimmed.slice(2)));
      continue;
    }
    const colon = text.indexOf(":", 1);
    const name = text.slice(text.startsWith(":") ? 1 : 0, colon);
    const rest = text.slice(colon + 1);
    if (colon === -1 || !/^\w+$/.test(name) || !(rest === "" || rest.startsWith(" "))) return undefined;
    list = rest.trim() === "" ? [] : undefined;
    message.set(name, list ?? scalar(rest));
  }
  return message.size === 0 ? undefined : Object.fromEntries(message);
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
