/**
 * Headers as amqplib writes them: times, large integers and bytes have types of their own in AMQP, where it would write a time as an empty
 * table, bytes as a table of numbers, and refuse the integers.
 */
export function typedHeaders(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, typed(value)]));
}

function typed(value: unknown): unknown {
  if (typeof value === "bigint") return { "!": "long", value };
  if (typeof value !== "object" || value === null || Buffer.isBuffer(value)) return value;
  if (value instanceof Date) return { "!": "timestamp", value: Math.floor(value.getTime() / 1000) };
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (Array.isArray(value)) return value.map(typed);
  if (value instanceof Map) return typedHeaders(Object.fromEntries(value));
  if (value instanceof Set) return [...value].map(typed);
  // Its type is written down, as amqplib has it.
  return "!" in value ? value : typedHeaders(value as Record<string, unknown>);
}
