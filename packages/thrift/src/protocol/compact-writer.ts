import { compactTypes, wireTypes } from "../wire/types.ts";
import { copyInto } from "./copy.ts";
import { split, splitI64 } from "./int64.ts";
import { uuidBytes } from "./reading.ts";
import { mostTextBytes, writeText } from "./text.ts";
import { viewOf } from "./view.ts";
import { grown } from "./writing.ts";

/** The type ids of the compact protocol, by those of the binary one, which generated code knows. */
const compactTypeOf: readonly number[] = Object.assign(
  Array.from({ length: 17 }, () => -1),
  {
    [wireTypes.stop]: compactTypes.stop,
    [wireTypes.bool]: compactTypes.true,
    [wireTypes.i8]: compactTypes.i8,
    [wireTypes.double]: compactTypes.double,
    [wireTypes.i16]: compactTypes.i16,
    [wireTypes.i32]: compactTypes.i32,
    [wireTypes.i64]: compactTypes.i64,
    [wireTypes.string]: compactTypes.string,
    [wireTypes.struct]: compactTypes.struct,
    [wireTypes.map]: compactTypes.map,
    [wireTypes.set]: compactTypes.set,
    [wireTypes.list]: compactTypes.list,
    [wireTypes.uuid]: compactTypes.uuid,
  },
);

/** Not an id: those have 16 bits. */
const noField = 0x1_0000;

/**
 * Writes the compact protocol into a buffer that grows (doc/specs/thrift-compact-protocol.md). Has the methods
 * that Apache-generated code calls.
 */
export class CompactWriter {
  readonly protocol = "compact";
  bytes: Buffer = Buffer.alloc(0);
  /** The same memory: a double is written in one go. */
  view: DataView = viewOf(this.bytes);
  /** Where the message begins, for when the buffer has to grow. */
  start = 0;
  position = 0;
  /** The type of the message that was begun last. */
  messageType = 0;
  private lastField = 0;
  private readonly outerFields: number[] = [];
  /** The id of a boolean field: its head is written with its value. */
  private booleanField = noField;

  /** Begins to write at a position of a buffer. */
  reset(bytes: Buffer, start: number): void {
    if (bytes !== this.bytes) this.take(bytes);
    this.start = start;
    this.position = start;
    this.lastField = 0;
    this.outerFields.length = 0;
    this.booleanField = noField;
  }

  /** Makes sure that so many bytes can be written; gives the buffer, which may be another one now. */
  reserve(count: number): Buffer {
    if (this.position + count > this.bytes.length) this.take(grown(this.bytes, this.start, this.position, count));
    return this.bytes;
  }

  private take(bytes: Buffer): void {
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }

  writeMessageBegin(name: string, type: number, sequenceId: number): void {
    this.messageType = type;
    const bytes = this.reserve(2);
    bytes[this.position++] = 0x82;
    bytes[this.position++] = (type << 5) | 1;
    this.writeVarint(sequenceId >>> 0);
    this.writeString(name);
  }

  writeMessageEnd(): void {}

  /** The server sends what was written. */
  flush(): void {}

  writeStructBegin(_name?: string): void {
    this.outerFields.push(this.lastField);
    this.lastField = 0;
  }

  writeStructEnd(): void {
    this.lastField = this.outerFields.pop() ?? 0;
  }

  writeFieldBegin(_name: string, type: number, id: number): void {
    if (type === wireTypes.bool) this.booleanField = id;
    else this.writeFieldHead(compactTypeOf[type] as number, id);
  }

  private writeFieldHead(type: number, id: number): void {
    const delta = id - this.lastField;
    const bytes = this.reserve(4);
    if (delta > 0 && delta <= 15) bytes[this.position++] = (delta << 4) | type;
    else {
      bytes[this.position++] = type;
      this.writeI16(id);
    }
    this.lastField = id;
  }

  writeFieldEnd(): void {}

  writeFieldStop(): void {
    this.reserve(1)[this.position++] = compactTypes.stop;
  }

  writeMapBegin(keyType: number, valueType: number, size: number): void {
    this.writeVarint(size);
    if (size > 0) this.reserve(1)[this.position++] = ((compactTypeOf[keyType] as number) << 4) | (compactTypeOf[valueType] as number);
  }

  writeMapEnd(): void {}

  writeListBegin(elementType: number, size: number): void {
    const type = compactTypeOf[elementType] as number;
    const bytes = this.reserve(6);
    if (size < 15) bytes[this.position++] = (size << 4) | type;
    else {
      bytes[this.position++] = 0xf0 | type;
      this.writeVarint(size);
    }
  }

  writeListEnd(): void {}

  writeSetBegin(elementType: number, size: number): void {
    this.writeListBegin(elementType, size);
  }

  writeSetEnd(): void {}

  writeBool(value: unknown): void {
    const type = value ? compactTypes.true : compactTypes.false;
    if (this.booleanField === noField) {
      this.reserve(1)[this.position++] = type;
      return;
    }
    const id = this.booleanField;
    this.booleanField = noField;
    this.writeFieldHead(type, id);
  }

  writeByte(value: number): void {
    this.reserve(1)[this.position++] = value;
  }

  writeI8(value: number): void {
    this.writeByte(value);
  }

  writeI16(value: number): void {
    this.writeI32((value << 16) >> 16);
  }

  writeI32(value: number): void {
    this.writeVarint(((value << 1) ^ (value >> 31)) >>> 0);
  }

  /** Unsigned, up to 32 bits. */
  writeVarint(value: number): void {
    const bytes = this.reserve(5);
    let { position } = this;
    let rest = value;
    while (rest >= 0x80) {
      bytes[position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[position++] = rest;
    this.position = position;
  }

  writeI64(value: unknown): void {
    splitI64(value);
    this.writeLong(split.high, split.low);
  }

  /** An i64 by its halves, zigzag. */
  writeLong(high: number, low: number): void {
    const bytes = this.reserve(10);
    let { position } = this;
    const sign = high >> 31;
    let h = ((high << 1) | (low >>> 31)) ^ sign;
    let l = (low << 1) ^ sign;
    while (h !== 0) {
      bytes[position++] = (l & 0x7f) | 0x80;
      l = (l >>> 7) | (h << 25);
      h >>>= 7;
    }
    l >>>= 0;
    while (l >= 0x80) {
      bytes[position++] = (l & 0x7f) | 0x80;
      l >>>= 7;
    }
    bytes[position++] = l;
    this.position = position;
  }

  writeDouble(value: number): void {
    this.reserve(8);
    this.view.setFloat64(this.position, value, true);
    this.position += 8;
  }

  /** @throws {TypeError} for anything but text and bytes */
  writeString(value: unknown): void {
    if (typeof value !== "string") return this.writeBinary(value);
    const most = mostTextBytes(value.length);
    const bytes = this.reserve(5 + most);
    const { position } = this;
    if (most < 0x80) {
      const length = writeText(bytes, position + 1, value);
      bytes[position] = length;
      this.position = position + 1 + length;
      return;
    }
    // Most text is ASCII: its length is taken for the number of bytes, and the text moved if that was wrong.
    const guess = sizeBytes(value.length);
    const length = writeText(bytes, position + guess, value);
    const actual = sizeBytes(length);
    if (actual !== guess) bytes.copyWithin(position + actual, position + guess, position + guess + length);
    this.writeVarint(length);
    this.position = position + actual + length;
  }

  /** @throws {TypeError} for anything but bytes and text */
  writeBinary(value: unknown): void {
    if (typeof value === "string") return this.writeString(value);
    if (!(value instanceof Uint8Array)) throw new TypeError(`expected a text or bytes, found ${typeof value}`);
    const bytes = this.reserve(5 + value.length);
    this.writeVarint(value.length);
    copyInto(bytes, this.position, value);
    this.position += value.length;
  }

  writeUuid(value: unknown): void {
    this.reserve(16).set(uuidBytes(value), this.position);
    this.position += 16;
  }

  incrementRecursionDepth(): void {}

  decrementRecursionDepth(): void {}
}

function sizeBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}
