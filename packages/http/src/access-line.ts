import type { AccessRecord } from "./access-record.ts";

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** A line as nginx and Apache write it: `client - user [time] "request" status bytes`, and with `combined` the referer and the agent. */
export function webServerLine(record: AccessRecord, isCombined: boolean, nowMs: number): string {
  const request =
    record.method === undefined ? "-" : `${record.method} ${escaped(record.path ?? "-")} HTTP/${record.http_version ?? "1.1"}`;
  const basic = `${record.client ?? "-"} - - [${clfTime(nowMs)}] "${request}" ${record.status ?? "-"} ${record.bytes ?? "-"}`;
  return isCombined ? `${basic} "${escaped(record.referer ?? "-")}" "${escaped(record.user_agent ?? "-")}"\n` : `${basic}\n`;
}

/** As nginx does: nothing that a client sends can end the quotes, or the line. */
export function escaped(text: string): string {
  return text.replace(/["\\]|[^\x20-\x7e]/g, (character) => {
    const code = character.charCodeAt(0);
    if (code > 0xff) return [...Buffer.from(character)].map(hex).join("");
    return hex(code);
  });
}

function hex(code: number): string {
  return `\\x${code.toString(16).toUpperCase().padStart(2, "0")}`;
}

/**
 * A line of JSON, as `JSON.stringify` writes it, at a part of the cost: nearly all of what is in a record needs no escape. A line of it
 * costs a request more than its route does.
 */
export function jsonLine(record: AccessRecord, message: string, nowMs: number): string {
  return fileLine(recordFields(record), message, nowMs);
}

/**
 * The same as the process's log has it, at level info.
 *
 * @param fields what `recordFields` gives
 * @param bindings what every line of the logger says, as fields of JSON
 */
export function infoLine(fields: string, message: string, nowMs: number, bindings: string): string {
  return `${infoTime(nowMs)}${bindings}${fields}${messageEnd(message)}`;
}

/** A line of the file from what `recordFields` gives. */
export function fileLine(fields: string, message: string, nowMs: number): string {
  return `${fileTime(nowMs)}${fields}${messageEnd(message)}`;
}

/** Takes out of a part of a line what may not be in one: secrets, control characters. */
export type Clean = (part: string) => string;

function messageEnd(message: string): string {
  return message === completed ? completedEnd : `,"msg":${quoted(message)}}\n`;
}

/** What nearly all lines say. */
export const completed = "request completed";
const completedEnd = `,"msg":"${completed}"}\n`;

/** Each field of a record with a comma before it. */
export function recordFields(record: AccessRecord): string {
  // By name rather than in a loop, which would look each up in the record.
  return `${textField("req_id", record.req_id)}${textField("trace_id", record.trace_id)}${textField("span_id", record.span_id)}${textField(
    "method",
    record.method,
  )}${textField("route", record.route)}${textField("path", record.path)}${textField("http_version", record.http_version)}${textField("host", record.host)}${plainField(
    "status",
    record.status,
  )}${plainField("bytes", record.bytes)}${plainField("duration_ms", record.duration_ms)}${textField("client", record.client)}${textField(
    "user_agent",
    record.user_agent,
  )}${textField("referer", record.referer)}${textField("tls", record.tls)}${textField("upstream_id", record.upstream_id)}${plainField(
    "aborted",
    record.aborted,
  )}${textField("reason", record.reason)}${textField("error", record.error)}${textField("setting", record.setting)}${plainField(
    "sample_rate",
    record.sample_rate,
  )}`;
}

/** With a comma before it; nothing where there is no value. */
export function textField(name: keyof AccessRecord, value: string | undefined): string {
  return value === undefined ? "" : `,"${name}":${quoted(value)}`;
}

function plainField(name: keyof AccessRecord, value: number | boolean | undefined): string {
  return value === undefined ? "" : `,"${name}":${value}`;
}

function quoted(value: string): string {
  return /^[ !#-[\]-~]*$/.test(value) ? `"${value}"` : JSON.stringify(value);
}

/**
 * A part of a line that may come again. V8 keeps a text that is put together as a tree of its pieces, and walks through all of them
 * each time that it is written; one that is asked for a character becomes one piece. For a part that comes once that would be a copy
 * too many, so that it is asked only when it comes again.
 */
export class WholeText {
  private text = "";
  /** Kept only so that V8 does not leave out the question, as one whose answer nobody wants. */
  begin = 0;

  first(text: string): string {
    this.text = text;
    return text;
  }

  again(): string {
    this.begin = this.text.charCodeAt(0);
    return this.text;
  }
}

/** Writes what stays the same for so many milliseconds once in them. */
function once(ms: number, write: (nowMs: number) => string): (nowMs: number) => string {
  let period = Number.NaN;
  const text = new WholeText();
  return (nowMs) => {
    const current = Math.floor(nowMs / ms);
    if (current === period) return text.again();
    period = current;
    return text.first(write(current * ms));
  };
}

const isoSecond = once(1000, (nowMs) => new Date(nowMs).toISOString().slice(0, -4));

/** `2000-10-10T13:55:36.123Z`. */
const isoTime = once(1, (nowMs) => `${isoSecond(nowMs)}${String(nowMs % 1000).padStart(3, "0")}Z`);

/** What a line of the log begins with, and one of the file: the same for all of one millisecond. */
const infoTime = once(1, (nowMs) => `{"level":"info","time":"${isoTime(nowMs)}",`);
const fileTime = once(1, (nowMs) => `{"time":"${isoTime(nowMs)}"`);

const clfTime = once(1000, (nowMs) => timeOf(new Date(nowMs)));

/** `10/Oct/2000:13:55:36 +0000`: in UTC, whatever the machine's zone is. */
function timeOf(now: Date): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  const day = `${two(now.getUTCDate())}/${months[now.getUTCMonth()]}/${now.getUTCFullYear()}`;
  return `${day}:${two(now.getUTCHours())}:${two(now.getUTCMinutes())}:${two(now.getUTCSeconds())} +0000`;
}
