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

// Each question to the system's source of chance takes longer than all else that a line of a log does: it is asked for many at once.
const random = Buffer.alloc(8192);
let taken = random.length;

function randomHex(bytes: number): string {
  if (taken + bytes > random.length) {
    randomFillSync(random);
    taken = 0;
  }
  taken += bytes;
  return random.toString("hex", taken - bytes, taken);
}
