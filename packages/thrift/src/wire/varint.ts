import { ProtocolError } from "./protocol-error.ts";

/** Reads unsigned varints of up to 32 bits from a part of a buffer, one after the other. */
export class VarintCursor {
  readonly #bytes: Buffer;
  readonly #end: number;
  position: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.position = start;
    this.#end = end;
  }

  get remaining(): number {
    return this.#end - this.position;
  }

  /** @throws {ProtocolError} when it does not end, or has more than 32 bits */
  next(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.position >= this.#end) throw new ProtocolError("a varint goes on past the end");
      const byte = this.#bytes[this.position++] as number;
      // Not shifted: bit 31 would make it negative.
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    throw new ProtocolError("a varint has more than 32 bits");
  }
}

export function varintLength(value: number): number {
  let length = 1;
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) length += 1;
  return length;
}

/** Writes an unsigned varint of up to 32 bits; gives the position after it. */
export function writeVarint(bytes: Buffer, position: number, value: number): number {
  let rest = value;
  while (rest >= 0x80) {
    bytes[position++] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 128);
  }
  bytes[position++] = rest;
  return position;
}
