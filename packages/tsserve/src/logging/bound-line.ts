import { escapeJsonLine } from "./escape-controls.ts";

/** The longest line of the log, in bytes of UTF-8, with its newline. */
export const longestLineBytes: number = 16 * 1024;

/** No character of a text takes more than three bytes of UTF-8 for each unit of its length. */
const surelyShort = Math.floor(longestLineBytes / 3);

/** How long texts may be, how many parts things may have, and how deep they may be; tried one after the other. */
const limits = [
  { text: 4000, parts: 50, depth: 6 },
  { text: 1500, parts: 20, depth: 4 },
  { text: 500, parts: 10, depth: 3 },
  { text: 120, parts: 8, depth: 2 },
] as const;

type Limit = (typeof limits)[number];

/**
 * A line of the log, its control characters escaped; or where it is longer than it may be, the same with its longest parts cut: readers of logs cut or
 * drop long lines (Docker at 16 kB), in the middle of a JSON object.
 */
export function boundLine(line: string): string {
  const whole = escapeJsonLine(line);
  if (fits(whole)) return whole;
  const bytes = Buffer.byteLength(line);
  const record = parse(line);
  for (const limit of limits) {
    const cut = escapeJsonLine(`${JSON.stringify({ ...(shrink(record, limit, 0) as object), cut_from_bytes: bytes })}\n`);
    if (fits(cut)) return cut;
  }
  return escapeJsonLine(`${JSON.stringify({ ...essence(record), cut_from_bytes: bytes })}\n`);
}

/** Whether a line is no longer than it may be, as far as that can be seen without counting its bytes. */
export function isSurelyShort(line: string): boolean {
  return line.length <= surelyShort;
}

function fits(line: string): boolean {
  return isSurelyShort(line) || Buffer.byteLength(line) <= longestLineBytes;
}

function parse(line: string): object {
  try {
    return JSON.parse(line) as object;
  } catch {
    // A logger with a formatter of its own may have written what is no JSON.
    return { msg: line.slice(0, 4000) };
  }
}

function shrink(value: unknown, limit: Limit, depth: number): unknown {
  if (typeof value === "string") return cutText(value, limit.text);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= limit.depth) return Array.isArray(value) ? `[${value.length} elements]` : "{…}";
  if (Array.isArray(value)) {
    const kept = value.slice(0, limit.parts).map((each) => shrink(each, limit, depth + 1));
    return value.length > kept.length ? [...kept, `… ${value.length - kept.length} more`] : kept;
  }
  const entries = Object.entries(value);
  const kept = entries.slice(0, limit.parts).map(([key, each]) => [cutText(key, 100), shrink(each, limit, depth + 1)] as const);
  return Object.fromEntries(entries.length > kept.length ? [...kept, ["…", `${entries.length - kept.length} more`]] : kept);
}

function cutText(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}… (${text.length - longest} more)`;
}

/** What every line has, when nothing else can be kept. */
function essence(record: object): object {
  const known = record as Readonly<Record<string, unknown>>;
  const names = ["time", "level", "pid", "hostname", "logger", "req_id", "trace_id", "msg"];
  return Object.fromEntries(names.map((name) => [name, typeof known[name] === "string" ? cutText(known[name], 200) : known[name]]));
}
