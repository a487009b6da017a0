import { randomInt } from "node:crypto";
import type { Delivery } from "./delivery.ts";

const sampledBytes = 32;
/** Ones that nobody outside knows: no publisher can make up a message that is taken for another's. */
const seeds: readonly [number, number] = [randomInt(2 ** 31), randomInt(2 ** 31)];

/**
 * Knows a message again: a number of 53 bits of its id and, because ids are the publishers' own and some name every message alike, of its
 * length, its time and samples of its bytes. (cyrb53, public domain, github.com/bryc/code: two 32-bit multiplicative hashes in parallel.)
 * A number rather than a text: thousands of texts that are remembered cost the garbage collector more than handling the messages.
 *
 * @returns `undefined` for a message without an id
 */
export function messageKey({ id, bytes, failures, isCopiedForRetry, sentAt }: Delivery): number | undefined {
  if (id === undefined) return undefined;
  const { length } = bytes;
  let [a, b] = seeds;
  const mix = (value: number): void => {
    a = Math.imul(a ^ value, 2_654_435_761);
    b = Math.imul(b ^ value, 1_597_334_677);
  };
  for (let index = 0; index < id.length; index += 1) mix(id.charCodeAt(index));
  const time = sentAt?.getTime() ?? -1;
  const ms = Number.isNaN(time) ? -2 : time;
  // A number beyond 32 bits in two parts. What a copy for a retry is, is another message; on SQS it is the same one.
  mix(ms % 2 ** 31);
  mix(Math.floor(ms / 2 ** 31));
  mix(isCopiedForRetry ? failures : 0);
  mix(length);
  const headEnd = Math.min(length, sampledBytes);
  for (let index = 0; index < headEnd; index += 1) mix(bytes[index] as number);
  for (let index = Math.max(headEnd, length - sampledBytes); index < length; index += 1) mix(bytes[index] as number);
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909);
  return 4_294_967_296 * (2_097_151 & b) + (a >>> 0);
}
