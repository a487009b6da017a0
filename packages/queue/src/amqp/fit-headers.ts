/** amqplib encodes a table of headers in a buffer of 64 KiB (`SCRATCH` of its `lib/defs.js`), and throws at what does not fit. */
const mostBytes = 60_000;
/** Of names, and of properties (AMQP 0-9-1, section 4.2.5.3). */
const longestShortString = 255;

/** Names those of a sender's headers and properties that a copy does not have; at most so many characters. */
export const leftOutHeader = "x-left-out-headers";
const longestNames = 1000;

/**
 * The headers of a copy: what other clients send can be read, but not all of it written again, and a copy has ours beside them.
 * Those of the sender's that can't be written, and the largest where there is no room, are left out and named: a message that could
 * be neither retried nor buried would come back for ever.
 *
 * @param properties those of the sender's properties that are left out, too
 */
export function fitHeaders(
  senders: Readonly<Record<string, unknown>>,
  ours: Readonly<Record<string, unknown>>,
  properties: readonly string[] = [],
): Record<string, unknown> {
  const theirs = Object.entries(senders)
    .filter(([name]) => !(name in ours))
    .map(([name, value]) => ({ name, value, bytes: isField(name, value) ? fieldBytes(name, value) : Infinity }))
    .toSorted((one, other) => one.bytes - other.bytes);
  let room = mostBytes - tableBytes(ours) - fieldBytes(leftOutHeader, "") - longestNames;
  const all: Record<string, unknown> = {};
  const leftOut = [...properties];
  for (const { name, value, bytes } of theirs) {
    room -= bytes;
    if (room >= 0) all[name] = value;
    else leftOut.push(name);
  }
  if (leftOut.length > 0) all[leftOutHeader] = leftOut.join(", ").slice(0, longestNames);
  return Object.assign(all, ours);
}

/**
 * Whether amqplib writes a property that it read. What is no UTF-8 becomes three bytes for each that it had (U+FFFD), and a short string has
 * 255 at most; a time of 64 bits becomes a number, which may be larger than they are.
 */
export function isWritableProperty(value: unknown): boolean {
  if (typeof value === "string") return Buffer.byteLength(value) <= longestShortString;
  return typeof value !== "number" || (value >= 0 && value < 2 ** 64);
}

function isField(name: string, value: unknown, depth = 0): boolean {
  return Buffer.byteLength(name) <= longestShortString && isWritable(value, depth);
}

/** Deeper tables are nobody's headers; to write them takes more of the stack than to read them. */
export const deepestTable = 100;

/** Whether amqplib writes what it read. It guesses the type of a number, and wrongly of some that are no integers. */
function isWritable(value: unknown, depth: number): boolean {
  if (typeof value === "number") return Number.isInteger(value) ? value >= -(2 ** 63) : value === Infinity || Math.abs(value) < 2 ** 50;
  if (typeof value !== "object" || value === null || Buffer.isBuffer(value)) return true;
  // It reads times and decimals as `{ "!": TYPE, value }`; of another client that is a table of its own, with a type that is none.
  if ("!" in value) return isTyped(value);
  if (depth === deepestTable) return false;
  if (Array.isArray(value)) return value.every((each) => isWritable(each, depth + 1));
  return Object.entries(value).every(([name, each]) => isField(name, each, depth + 1));
}

function isTyped(value: { readonly "!": unknown; readonly value?: unknown }): boolean {
  if (value["!"] === "timestamp") return Number.isInteger(value.value) && (value.value as number) >= 0 && (value.value as number) < 2 ** 64;
  return value["!"] === "decimal" && typeof value.value === "object" && value.value !== null && "digits" in value.value;
}

function tableBytes(table: object): number {
  return Object.entries(table).reduce((sum, [name, value]) => sum + fieldBytes(name, value), 4);
}

/** A length of one byte, the name, a type of one byte, and the value (AMQP 0-9-1, section 4.2.5.5); what is undefined is not sent. */
function fieldBytes(name: string, value: unknown): number {
  return value === undefined ? 0 : 2 + Buffer.byteLength(name) + valueBytes(value);
}

function valueBytes(value: unknown): number {
  if (typeof value === "string") return 4 + Buffer.byteLength(value);
  if (Buffer.isBuffer(value)) return 4 + value.length;
  if (Array.isArray(value)) return value.reduce((sum: number, each) => sum + 1 + valueBytes(each), 4);
  // Numbers, truth, time and nothing.
  return typeof value === "object" && value !== null ? tableBytes(value) : 9;
}
