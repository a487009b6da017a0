import { createHash } from "node:crypto";

/**
 * The id of a trace as OpenTelemetry has it, 32 hexadecimal digits: that of W3C as it is, one of Zipkin's or baseplate's (a
 * decimal number of 64 bits, or 16 digits) with zeros before it, and of anything else a hash, the same each time.
 */
export function otelTraceId(id: string): string {
  return idOf(id, 32);
}

/** The id of a span, 16 hexadecimal digits, likewise. */
export function otelSpanId(id: string): string {
  return idOf(id, 16);
}

function idOf(id: string, digits: number): string {
  const isHex = /^[0-9a-f]+$/.test(id);
  if (isHex && id.length === digits && !/^0+$/.test(id)) return id;
  if (/^\d{1,20}$/.test(id) && BigInt(id) > 0n && BigInt(id) < 2n ** 64n) return BigInt(id).toString(16).padStart(digits, "0");
  if (isHex && id.length === 16 && digits === 32) return id.padStart(digits, "0");
  return createHash("sha256").update(id).digest("hex").slice(0, digits);
}

const range = 2 ** 32;
const w3cForm = /^[0-9a-f]{32}$/;

/**
 * Tells whether a trace is among the part that is recorded: by the last 8 digits of its id, which are random in every version of
 * trace context, so that every process that asks decides the same. Texts are compared, which costs a request less than a number of them.
 *
 * @param part from 0 to 1
 * @returns asked with an id, and whether it was made here, and so is in W3C's form
 */
export function makeSampler(part: number): (traceId: string, isNew?: boolean) => boolean {
  const first = Math.ceil(part * range);
  if (first >= range) return () => true;
  const limit = first.toString(16).padStart(8, "0");
  return (traceId, isNew = false) => (isNew || w3cForm.test(traceId) ? traceId : otelTraceId(traceId)).slice(24) < limit;
}
