import { defaultLimits, type WireLimits } from "../wire/limits.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import { wireTypes } from "../wire/types.ts";
import { copied } from "./copy.ts";
import { WireInt64 } from "./int64.ts";
import {
  checkLength,
  skipElements,
  skipStruct,
  tooDeep,
  tooManyElements,
  UnderrunError,
  unknownType,
  uuidText,
  type MessageHead,
} from "./reading.ts";
import { readText } from "./text.ts";
import { viewOf } from "./view.ts";

/** How many bytes an element of a type takes at least, by its id: 0 marks what is no type. */
const leastBytes: readonly number[] = [0, 0, 1, 1, 8, 0, 2, 0, 4, 0, 8, 4, 1, 6, 5, 5, 16];

/**
 * Reads the binary protocol from a part of a buffer (doc/specs/thrift-binary-protocol.md). Has the methods that
 * Apache-generated code calls; what they return for a field or container is one object, used again and again,
 * since generated code takes the values out at once.
 */
export class BinaryReader {
  readonly protocol = "binary";
  readonly limits: WireLimits;
  bytes: Buffer = Buffer.alloc(0);
  /** The same memory: numbers of several bytes are read in one go. */
  view: DataView = viewOf(this.bytes);
  position = 0;
  end = 0;
  depth = 0;
  /** How many elements of containers this message may still have. */
  elements = 0;
  private readonly field = { fname: "", ftype: 0, fid: 0 };
  private readonly list = { etype: 0, size: 0 };
  private readonly map = { ktype: 0, vtype: 0, size: 0 };
  private readonly head: MessageHead = { name: "", type: 0, sequenceId: 0 };

  constructor(limits: WireLimits = defaultLimits) {
    this.limits = limits;
  }

  /** Begins with a message, or a part of one. */
  reset(bytes: Buffer, start: number, end: number): void {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = viewOf(bytes);
    }
    this.position = start;
    this.end = end;
    this.depth = 0;
    this.elements = this.limits.maxContainerElements;
  }

  /** The head of a message whose first two bytes are known to be `80 01`. The object is used again. */
  readHead(): MessageHead {
    const { head } = this;
    head.type = this.readI32() & 0xff;
    head.name = this.readString();
    head.sequenceId = this.readI32();
    return head;
  }

  readMessageBegin(): { fname: string; mtype: number; rseqid: number } {
    const { name, type, sequenceId } = this.readHead();
    return { fname: name, mtype: type, rseqid: sequenceId };
  }

  readMessageEnd(): void {}

  readStructBegin(): { fname: string } {
    if (++this.depth > this.limits.maxDepth) throw tooDeep(this.limits);
    return this.field;
  }

  readStructEnd(): void {
    this.depth -= 1;
  }

  readFieldBegin(): { fname: string; ftype: number; fid: number } {
    const { field, bytes, position } = this;
    if (position >= this.end) throw new UnderrunError("a struct");
    const type = bytes[position] as number;
    field.ftype = type;
    if (type === wireTypes.stop) {
      field.fid = 0;
      this.position = position + 1;
      return field;
    }
    if (position + 3 > this.end) throw new UnderrunError("the head of a field");
    field.fid = (((bytes[position + 1] as number) << 24) >> 16) | (bytes[position + 2] as number);
    this.position = position + 3;
    return field;
  }

  readFieldEnd(): void {}

  readMapBegin(): { ktype: number; vtype: number; size: number } {
    const { map } = this;
    this.need(6, "a map");
    map.ktype = this.bytes[this.position] as number;
    map.vtype = this.bytes[this.position + 1] as number;
    this.position += 2;
    map.size = this.readI32();
    if (map.size !== 0) this.enterContainer(map.size, leastOf(map.ktype) + leastOf(map.vtype), 2);
    return map;
  }

  readMapEnd(): void {}

  readListBegin(): { etype: number; size: number } {
    const { list } = this;
    this.need(5, "a list");
    list.etype = this.bytes[this.position] as number;
    this.position += 1;
    list.size = this.readI32();
    if (list.size !== 0) this.enterContainer(list.size, leastOf(list.etype), 1);
    return list;
  }

  readListEnd(): void {}

  readSetBegin(): { etype: number; size: number } {
    return this.readListBegin();
  }

  readSetEnd(): void {}

  /** Checks a container's size against the bytes that are left and what the message may have, before it is read. */
  enterContainer(size: number, leastElementBytes: number, valuesPerElement: number): void {
    if (size < 0) throw new ProtocolError(`a container of ${size} elements`);
    this.elements -= size * valuesPerElement;
    if (this.elements < 0) throw tooManyElements(this.limits);
    if (size * leastElementBytes > this.end - this.position) throw new UnderrunError("a container");
  }

  readBool(): boolean {
    return this.readByte() !== 0;
  }

  readByte(): number {
    this.need(1, "a byte");
    return ((this.bytes[this.position++] as number) << 24) >> 24;
  }

  readI8(): number {
    return this.readByte();
  }

  readI16(): number {
    this.need(2, "an i16");
    const { bytes, position } = this;
    this.position = position + 2;
    return (((bytes[position] as number) << 24) >> 16) | (bytes[position + 1] as number);
  }

  readI32(): number {
    const { position } = this;
    if (position + 4 > this.end) throw new UnderrunError("an i32");
    this.position = position + 4;
    return this.view.getInt32(position);
  }

  readI64(): WireInt64 {
    const { view, position } = this;
    if (position + 8 > this.end) throw new UnderrunError("an i64");
    this.position = position + 8;
    return new WireInt64(view.getInt32(position), view.getInt32(position + 4));
  }

  readBigint(): bigint {
    this.need(8, "an i64");
    const { position } = this;
    this.position = position + 8;
    return this.view.getBigInt64(position);
  }

  readDouble(): number {
    this.need(8, "a double");
    const { position } = this;
    this.position = position + 8;
    return this.view.getFloat64(position);
  }

  readString(): string {
    const length = this.readI32();
    const start = this.position;
    if (length < 0 || length > this.end - start || length > this.limits.maxStringBytes) checkLength(length, this.end - start, this.limits);
    this.position = start + length;
    return readText(this.bytes, start, start + length);
  }

  /** A copy: what it is read from may be used again at once. */
  readBinary(): Buffer {
    const length = this.readI32();
    checkLength(length, this.end - this.position, this.limits);
    const copy = copied(this.bytes, this.position, length);
    this.position += length;
    return copy;
  }

  readUuid(): string {
    this.need(16, "a uuid");
    this.position += 16;
    return uuidText(this.bytes, this.position - 16);
  }

  skip(type: number): void {
    switch (type) {
      case wireTypes.bool:
      case wireTypes.i8:
        return this.skipBytes(1);
      case wireTypes.i16:
        return this.skipBytes(2);
      case wireTypes.i32:
        return this.skipBytes(4);
      case wireTypes.i64:
      case wireTypes.double:
        return this.skipBytes(8);
      case wireTypes.uuid:
        return this.skipBytes(16);
      case wireTypes.string: {
        const length = this.readI32();
        checkLength(length, this.end - this.position, this.limits);
        return this.skipBytes(length);
      }
      case wireTypes.struct:
        return skipStruct(this);
      case wireTypes.list:
      case wireTypes.set: {
        const { etype, size } = this.readListBegin();
        return skipElements(this, size, etype);
      }
      case wireTypes.map: {
        const { ktype, vtype, size } = this.readMapBegin();
        return skipElements(this, size, ktype, vtype);
      }
      default:
        throw unknownType(type);
    }
  }

  private skipBytes(count: number): void {
    this.need(count, "a value");
    this.position += count;
  }

  private need(count: number, what: string): void {
    if (this.position + count > this.end) throw new UnderrunError(what);
  }

  /** Called by code that the compiler generates since 0.24. The depth is counted in `readStructBegin`. */
  incrementRecursionDepth(): void {}

  decrementRecursionDepth(): void {}
}

function leastOf(type: number): number {
  const least = leastBytes[type] ?? 0;
  if (least === 0) throw unknownType(type);
  return least;
}
