import { randomBytes } from "node:crypto";

/** Ids of others end up in logs: short ones of harmless characters only. */
export function isTraceId(text: unknown): text is string {
  return typeof text === "string" && /^[0-9A-Za-z-]{1,64}$/.test(text);
}

/** A new trace's id, in W3C's form (w3.org/TR/trace-context): 16 random bytes in hex. */
export function newTraceId(): string {
  return randomBytes(16).toString("hex");
}

/** A new span's id, in W3C's form: 8 random bytes in hex. */
export function newSpanId(): string {
  return randomBytes(8).toString("hex");
}
