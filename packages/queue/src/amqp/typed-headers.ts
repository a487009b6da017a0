import { PublishError } from "../publish-error.ts";
import { deepestTable } from "./fit-headers.ts";

/**
 * Headers as amqplib writes them: times, large integers and bytes have types of their own in AMQP, where it would write a time as an empty
 * table, bytes as a table of numbers, and refuse the integers.
 *
 * @throws {PublishError} `REFUSED`: they are nested too deep, or contain themselves
 */
export function typedHeaders(headers: Readonly<Record<string, unknown>>, depth = 0): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, typed(value, depth + 1)]));
}

function typed(value: unknown, depth: number): unknown {
  if (depth > deepestTable)
    throw new PublishError("REFUSED", `not sent: the headers are nested more than ${deepestTable} deep, or contain themselves`);
  if (typeof value === "bigint") return { "!": "long", value };
  if (typeof value !== "object" || value === null || Buffer.isBuffer(value)) return value;
  if (value instanceof Date) return { "!": "timestamp", value: Math.floor(value.getTime() / 1000) };
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (Array.isArray(value)) return value.map((each) => typed(each, depth + 1));
  if (value instanceof Map) return typedHeaders(Object.fromEntries(value), depth);
  if (value instanceof Set) return [...value].map((each) => typed(each, depth + 1));
  // Its type is written down, as amqplib has it.
  return "!" in value ? value : typedHeaders(value as Record<string, unknown>, depth);
}
