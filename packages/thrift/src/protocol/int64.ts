import Int64 from "node-int64";

/** Halves of a 64-bit integer, and the same as a bigint: one memory seen in two ways. */
const big: BigInt64Array = new BigInt64Array(1);
const halves: Int32Array = new Int32Array(big.buffer);
const lowIndex: number = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 0 : 1;
const highIndex: number = 1 - lowIndex;

const leastI64 = -(2n ** 63n);
const mostI64 = 2n ** 63n - 1n;

export function bigintOf(high: number, low: number): bigint {
  halves[highIndex] = high;
  halves[lowIndex] = low;
  return big[0] as bigint;
}

/** The halves of the integer that was split last: a pair as a result would have to be allocated. */
export const split: { high: number; low: number } = { high: 0, low: 0 };

/**
 * Splits what an i64 may be given as: a bigint, a safe integer, or an `Int64` of `node-int64`.
 *
 * @param path what it is, for the message
 * @throws {RangeError} when it is none of these, or has more than 64 bits
 */
export function splitI64(value: unknown, path = "an i64"): void {
  if (typeof value === "bigint") {
    if (value > mostI64 || value < leastI64) throw new RangeError(`${path}: expected 64 bits, found ${value}`);
    big[0] = value;
    split.high = halves[highIndex] as number;
    split.low = halves[lowIndex] as number;
  } else if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${path}: expected a bigint or a safe integer, found ${value}`);
    split.high = Math.floor(value / 0x1_0000_0000);
    // Takes the low 32 bits of what has 53 at most.
    split.low = value | 0;
  } else if (value instanceof WireInt64 && value.isUntouched) {
    split.high = value.high;
    split.low = value.low;
  } else splitOctets(value, path);
}

function splitOctets(value: unknown, path: string): void {
  const { buffer, offset = 0 } = (typeof value === "object" && value !== null ? value : {}) as { buffer?: unknown; offset?: number };
  if (!(buffer instanceof Uint8Array))
    throw new RangeError(`${path}: expected a bigint, a safe integer or an Int64, found ${typeof value}`);
  split.high = octets(buffer, offset);
  split.low = octets(buffer, offset + 4);
}

function octets(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
}

/**
 * The `Int64` that Apache-generated code works with, without a buffer until somebody asks for it. Inherits
 * from `node-int64`, since apps ask with `instanceof`.
 */
export class WireInt64 {
  readonly high: number;
  readonly low: number;
  private octets: Buffer | undefined = undefined;

  constructor(high: number, low: number) {
    this.high = high;
    this.low = low;
  }

  /** Whether nobody has its buffer, whose bytes may be changed. */
  get isUntouched(): boolean {
    return this.octets === undefined;
  }

  get buffer(): Buffer {
    if (this.octets === undefined) {
      this.octets = Buffer.allocUnsafe(8);
      this.octets.writeInt32BE(this.high, 0);
      this.octets.writeInt32BE(this.low, 4);
    }
    return this.octets;
  }

  get offset(): number {
    return 0;
  }
}
Object.setPrototypeOf(WireInt64.prototype, Int64.prototype);
