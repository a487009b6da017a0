import { randomFillSync } from "node:crypto";

/** Ids of others end up in logs: short ones of harmless characters only. */
export function isTraceId(text: unknown): text is string {
  return typeof text === "string" && /^[0-9A-Za-z-]{1,64}$/.test(text);
}

/** A new trace's id, in W3C's form (w3.org/TR/trace-context): 16 random bytes in hex. */
export function newTraceId(): string {
  return randomHex(16);
}

/** A new span's id, in W3C's form: 8 random bytes in hex. */
export function newSpanId(): string {
  return randomHex(8);
}

// Each question to the system's source of chance, and each conversion to hex, takes longer than all else that a line of a log does: it is
// asked for many at once, and ids are pieces of one text.
const random = Buffer.alloc(8192);
let digits = "";
let taken = 0;

function randomHex(bytes: number): string {
  const length = 2 * bytes;
  if (taken + length > digits.length) {
    digits = randomFillSync(random).toString("hex");
    taken = 0;
  }
  taken += length;
  return digits.slice(taken - length, taken);
}
