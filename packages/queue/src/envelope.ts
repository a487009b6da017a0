import { inflateSync } from "node:zlib";

/** More than this much of a compressed body is no message, but an attack. */
export const longestInflated: number = 128 * 1024 * 1024;

/** What tomodachi's compressed envelopes hold: base64 of zlib. @throws {Error} when it is none */
export function inflate(bytes: Buffer): Buffer {
  return inflateSync(bytes, { maxOutputLength: longestInflated });
}
