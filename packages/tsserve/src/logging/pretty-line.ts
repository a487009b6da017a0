import { escapeControls } from "./escape-controls.ts";

type Record_ = Readonly<Record<string, unknown>>;

const colors: Readonly<Record<string, string>> = { trace: "90", debug: "34", info: "32", warn: "33", error: "31", fatal: "41" };

/** What stands in a line anyway, or helps nobody who reads it on a terminal. */
const left = new Set(["time", "level", "pid", "hostname", "logger", "msg", "trace_id", "span_id", "err", "req", "res"]);

/**
 * One line of the log for people, made from its JSON: time, level, logger, what happened, and what the text does not say already.
 * A request is one short line. Whatever a client sent can be read, and forges nothing: control characters are escaped, and what
 * goes on below a line is indented.
 */
export function prettyLine(line: string, colored: boolean): string {
  let record: Record_;
  try {
    record = JSON.parse(line) as Record_;
  } catch {
    return `${escapeControls(line.trimEnd())}\n`;
  }
  const level = textOf(record["level"]);
  const color = (text: string, code: string | undefined): string =>
    colored && code !== undefined ? `\u001b[${code}m${text}\u001b[0m` : text;
  const head = `[${clockOf(record["time"])}] ${color(level.toUpperCase().padEnd(5), colors[level])}`;
  if (record["logger"] === "tsserve.access" && typeof record["method"] === "string") return `${head} ${requestText(record)}\n`;
  const logger = record["logger"] === undefined ? "" : `${escapeControls(textOf(record["logger"]))}: `;
  const text = sentenceOf(record);
  return `${head} ${logger}${text}${color(fieldsText(record, text), "90")}${stackText(record["err"], textOf(record["msg"]))}\n`;
}

/** `GET /boom 500 25 ms`. */
function requestText(record: Record_): string {
  const { method, path, route, status, duration_ms: ms, aborted } = record;
  const took = typeof ms === "number" ? `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms` : "";
  const outcome = aborted === true ? ["aborted", ...(status === undefined ? [] : [status])] : [status ?? ""];
  return escapeControls([method, path ?? route, ...outcome, took].map(textOf).filter(Boolean).join(" "));
}

/** The message; of an error whose message it repeats, with the type. */
function sentenceOf({ msg, err, req }: Record_): string {
  const text = escapeControls(textOf(msg));
  const { type, message } = isObject(err) ? err : {};
  const typed = message === msg && typeof type === "string" && type !== "Error" ? `${escapeControls(type)}: ${text}` : text;
  const { method, url } = isObject(req) ? req : {};
  return typeof method === "string" ? `${typed} (${escapeControls(`${method} ${textOf(url).split("?", 1)[0]}`)})` : typed;
}

function fieldsText(record: Record_, said: string): string {
  const fields = Object.entries(record).flatMap(([key, value]) => {
    if (left.has(key) || value === undefined || isSaid(value, said)) return [];
    return [`${escapeControls(key)}=${escapeControls(textOf(value))}`];
  });
  return fields.length === 0 ? "" : ` ${fields.join(" ")}`;
}

/** A text that the sentence repeats needs no field; a number may be in it by chance. */
function isSaid(value: unknown, said: string): boolean {
  if (Array.isArray(value)) return value.length > 0 && value.every((each) => isSaid(each, said));
  if (typeof value === "number") return new RegExp(`(?<![\\w.])${value}(?![\\w.]*\\w)`).test(said);
  return typeof value === "string" && value.length > 2 && said.includes(escapeControls(value));
}

/** Message and frames, each on a line of its own below; what the line itself says is not repeated. */
function stackText(err: unknown, msg: string, indent = "    "): string {
  if (!isObject(err)) return err === undefined ? "" : ` err=${escapeControls(textOf(err))}`;
  const { type, message, stack, cause, aggregateErrors } = err;
  const text = textOf(message);
  const frames = framesOf(textOf(stack), text);
  const first = text === msg ? [] : [`${textOf(type)}: ${text}`];
  const lines = [...first, ...frames].map((each) => `\n${indent}${escapeControls(each.trimStart())}`);
  const causes = isObject(cause) ? `\n${indent}caused by${stackText(cause, "", `${indent}    `)}` : "";
  const parts = Array.isArray(aggregateErrors)
    ? aggregateErrors.map((each) => `\n${indent}one of them${stackText(each, "", `${indent}    `)}`)
    : [];
  return `${lines.join("")}${causes}${parts.join("")}`;
}

/** A stack begins with the message, which may have lines that look like frames. */
function framesOf(stack: string, message: string): string[] {
  const at = message === "" ? -1 : stack.indexOf(message);
  const rest = at === -1 ? stack : stack.slice(at + message.length);
  return rest.split("\n").filter((each) => /^\s+at /.test(each));
}

/** The local time of day. */
function clockOf(time: unknown): string {
  const date = new Date(typeof time === "string" || typeof time === "number" ? time : Date.now());
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

function isObject(value: unknown): value is Record_ {
  return typeof value === "object" && value !== null;
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined ? "" : (JSON.stringify(value) ?? "");
}
