import { wireTypes } from "../wire/types.ts";
import { copyInto } from "./copy.ts";
import { split, splitI64 } from "./int64.ts";
import { uuidBytes } from "./reading.ts";
import { mostTextBytes, writeText } from "./text.ts";
import { viewOf } from "./view.ts";
import { grown } from "./writing.ts";

/**
 * Writes the binary protocol into a buffer that grows (doc/specs/thrift-binary-protocol.md). Has the methods
 * that Apache-generated code calls.
 */
export class BinaryWriter {
  readonly protocol = "binary";
  bytes: Buffer = Buffer.alloc(0);
  /** The same memory: numbers of several bytes are written in one go. */
  view: DataView = viewOf(this.bytes);
  /** Where the message begins, for when the buffer has to grow. */
  start = 0;
  position = 0;
  /** The type of the message that was begun last. */
  messageType = 0;

  /** Begins to write at a position of a buffer. */
  reset(bytes: Buffer, start: number): void {
    if (bytes !== this.bytes) this.take(bytes);
    this.start = start;
    this.position = start;
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
    this.writeI32(0x8001_0000 | type);
    this.writeString(name);
    this.writeI32(sequenceId);
  }

  writeMessageEnd(): void {}

  /** The server sends what was written. */
  flush(): void {}

  writeStructBegin(_name?: string): void {}

  writeStructEnd(): void {}

  writeFieldBegin(_name: string, type: number, id: number): void {
    const { position } = this;
    const bytes = position + 3 > this.bytes.length ? this.reserve(3) : this.bytes;
    bytes[position] = type;
    bytes[position + 1] = id >> 8;
    bytes[position + 2] = id;
    this.position = position + 3;
  }

  writeFieldEnd(): void {}

  writeFieldStop(): void {
    this.reserve(1)[this.position++] = wireTypes.stop;
  }

  writeMapBegin(keyType: number, valueType: number, size: number): void {
    const bytes = this.reserve(6);
    bytes[this.position++] = keyType;
    bytes[this.position++] = valueType;
    this.writeI32(size);
  }

  writeMapEnd(): void {}

  writeListBegin(elementType: number, size: number): void {
    this.reserve(5)[this.position++] = elementType;
    this.writeI32(size);
  }

  writeListEnd(): void {}

  writeSetBegin(elementType: number, size: number): void {
    this.writeListBegin(elementType, size);
  }

  writeSetEnd(): void {}

  writeBool(value: unknown): void {
    const { position } = this;
    const bytes = position + 1 > this.bytes.length ? this.reserve(1) : this.bytes;
    bytes[position] = value ? 1 : 0;
    this.position = position + 1;
  }

  writeByte(value: number): void {
    this.reserve(1)[this.position++] = value;
  }

  writeI8(value: number): void {
    this.writeByte(value);
  }

  writeI16(value: number): void {
    const bytes = this.reserve(2);
    bytes[this.position++] = value >> 8;
    bytes[this.position++] = value;
  }

  writeI32(value: number): void {
    const { position } = this;
    if (position + 4 > this.bytes.length) this.reserve(4);
    this.view.setInt32(position, value);
    this.position = position + 4;
  }

  writeI64(value: unknown): void {
    splitI64(value);
    const { high, low } = split;
    const { position } = this;
    if (position + 8 > this.bytes.length) this.reserve(8);
    this.view.setInt32(position, high);
    this.view.setInt32(position + 4, low);
    this.position = position + 8;
  }

  writeDouble(value: number): void {
    const { position } = this;
    if (position + 8 > this.bytes.length) this.reserve(8);
    this.view.setFloat64(position, value);
    this.position = position + 8;
  }

  /** @throws {TypeError} for anything but text and bytes */
  writeString(value: unknown): void {
    if (typeof value !== "string") return this.writeBinary(value);
    const { position } = this;
    const most = 4 + mostTextBytes(value.length);
    const bytes = position + most > this.bytes.length ? this.reserve(most) : this.bytes;
    const length = writeText(bytes, position + 4, value);
    this.view.setInt32(position, length);
    this.position = position + 4 + length;
  }

  /** @throws {TypeError} for anything but bytes and text */
  writeBinary(value: unknown): void {
    if (typeof value === "string") return this.writeString(value);
    if (!(value instanceof Uint8Array)) throw new TypeError(`expected a text or bytes, found ${typeof value}`);
    const bytes = this.reserve(4 + value.length);
    this.writeI32(value.length);
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
