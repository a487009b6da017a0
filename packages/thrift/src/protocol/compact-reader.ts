import { defaultLimits, type WireLimits } from "../wire/limits.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import { compactTypes, wireTypes } from "../wire/types.ts";
import { copied } from "./copy.ts";
import { bigintOf, WireInt64 } from "./int64.ts";
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

/** The type ids of the binary protocol, which generated code knows, by those of the compact one. */
const wireTypeOf: readonly number[] = [
  wireTypes.stop,
  wireTypes.bool,
  wireTypes.bool,
  wireTypes.i8,
  wireTypes.i16,
  wireTypes.i32,
  wireTypes.i64,
  wireTypes.double,
  wireTypes.string,
  wireTypes.list,
  wireTypes.set,
  wireTypes.map,
  wireTypes.struct,
  wireTypes.uuid,
];

/** A boolean that the head of its field holds: none, or one that is yet to be read. */
const noBoolean = 0;

/**
 * Reads the compact protocol from a part of a buffer (doc/specs/thrift-compact-protocol.md). Has the methods that
 * Apache-generated code calls; what they return for a field or container is one object, used again and again,
 * since generated code takes the values out at once.
 */
export class CompactReader {
  readonly protocol = "compact";
  readonly limits: WireLimits;
  bytes: Buffer = Buffer.alloc(0);
  /** The same memory: a double is read in one go. */
  view: DataView = viewOf(this.bytes);
  position = 0;
  end = 0;
  depth = 0;
  /** How many elements of containers this message may still have. */
  elements = 0;
  /** The low half of the 64-bit varint that was read last; `high` is its high half. */
  low = 0;
  high = 0;
  private lastField = 0;
  /** The last fields of the structs around this one. */
  private readonly outerFields: number[] = [];
  private pendingBoolean = noBoolean;
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
    this.lastField = 0;
    this.outerFields.length = 0;
    this.pendingBoolean = noBoolean;
  }

  /** The head of a message whose first two bytes are known to be `82 x1`. The object is used again. */
  readHead(): MessageHead {
    const { head } = this;
    this.need(2, "the head of the message");
    head.type = (this.bytes[this.position + 1] as number) >> 5;
    this.position += 2;
    // Not zigzag; a negative one has five bytes.
    head.sequenceId = this.readVarint() | 0;
    head.name = this.readString();
    return head;
  }

  readMessageBegin(): { fname: string; mtype: number; rseqid: number } {
    const { name, type, sequenceId } = this.readHead();
    return { fname: name, mtype: type, rseqid: sequenceId };
  }

  readMessageEnd(): void {}

  readStructBegin(): { fname: string } {
    if (++this.depth > this.limits.maxDepth) throw tooDeep(this.limits);
    this.outerFields.push(this.lastField);
    this.lastField = 0;
    return this.field;
  }

  readStructEnd(): void {
    this.depth -= 1;
    this.lastField = this.outerFields.pop() ?? 0;
  }

  readFieldBegin(): { fname: string; ftype: number; fid: number } {
    const { field } = this;
    this.need(1, "a struct");
    const byte = this.bytes[this.position++] as number;
    const type = byte & 0x0f;
    if (type === compactTypes.stop) {
      field.ftype = wireTypes.stop;
      field.fid = 0;
      return field;
    }
    const delta = byte >> 4;
    field.fid = delta === 0 ? this.readI16() : this.lastField + delta;
    field.ftype = wireTypeOf[type] ?? noType(type);
    this.lastField = field.fid;
    this.pendingBoolean = type === compactTypes.true || type === compactTypes.false ? type : noBoolean;
    return field;
  }

  readFieldEnd(): void {}

  readMapBegin(): { ktype: number; vtype: number; size: number } {
    const { map } = this;
    map.size = this.readSize();
    map.ktype = wireTypes.stop;
    map.vtype = wireTypes.stop;
    if (map.size === 0) return map;
    this.need(1, "a map");
    const types = this.bytes[this.position++] as number;
    map.ktype = elementType(types >> 4);
    map.vtype = elementType(types & 0x0f);
    this.enterContainer(map.size, leastOf(map.ktype) + leastOf(map.vtype), 2);
    return map;
  }

  readMapEnd(): void {}

  readListBegin(): { etype: number; size: number } {
    const { list } = this;
    this.need(1, "a list");
    const head = this.bytes[this.position++] as number;
    list.size = head >> 4 === 15 ? this.readSize() : head >> 4;
    if (list.size === 0) {
      list.etype = wireTypes.stop;
      return list;
    }
    list.etype = elementType(head & 0x0f);
    this.enterContainer(list.size, leastOf(list.etype), 1);
    return list;
  }

  readListEnd(): void {}

  readSetBegin(): { etype: number; size: number } {
    return this.readListBegin();
  }

  readSetEnd(): void {}

  /** Checks a container's size against the bytes that are left and what the message may have, before it is read. */
  enterContainer(size: number, leastElementBytes: number, valuesPerElement: number): void {
    this.elements -= size * valuesPerElement;
    if (this.elements < 0) throw tooManyElements(this.limits);
    if (size * leastElementBytes > this.end - this.position) throw new UnderrunError("a container");
  }

  readBool(): boolean {
    const pending = this.pendingBoolean;
    if (pending !== noBoolean) {
      this.pendingBoolean = noBoolean;
      return pending === compactTypes.true;
    }
    // As an element: true is 1, false 2 or, from some writers, 0.
    return this.readByte() === compactTypes.true;
  }

  readByte(): number {
    this.need(1, "a byte");
    return ((this.bytes[this.position++] as number) << 24) >> 24;
  }

  readI8(): number {
    return this.readByte();
  }

  readI16(): number {
    return (this.readI32() << 16) >> 16;
  }

  readI32(): number {
    const value = this.readVarint();
    return (value >>> 1) ^ -(value & 1);
  }

  /** An unsigned varint of up to 32 bits. What has more is read to its end, as an i64 in the place of an i32 is. */
  readVarint(): number {
    const { bytes, end } = this;
    let { position } = this;
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      if (position >= end) throw new UnderrunError("a varint");
      const byte = bytes[position++] as number;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
      if (shift >= 63) throw new ProtocolError("a varint has more than ten bytes");
    }
    this.position = position;
    return value >>> 0;
  }

  private readSize(): number {
    const size = this.readVarint();
    if (size > 0x7fff_ffff) throw new ProtocolError(`a length of ${size}`);
    return size;
  }

  readI64(): WireInt64 {
    this.readLong();
    return new WireInt64(this.high, this.low);
  }

  readBigint(): bigint {
    this.readLong();
    return bigintOf(this.high, this.low);
  }

  /** Reads an i64 into `high` and `low`. */
  readLong(): void {
    const { bytes, end } = this;
    let { position } = this;
    let low = 0;
    let high = 0;
    // Four bytes fit into the low half: the rest is for what has more.
    let shift = 0;
    while (shift < 28 && position < end && (bytes[position] as number) >= 0x80) {
      low |= ((bytes[position++] as number) & 0x7f) << shift;
      shift += 7;
    }
    for (; ; shift += 7) {
      if (position >= end) throw new UnderrunError("an i64");
      const byte = bytes[position++] as number;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >> 4;
      } else if (shift < 64) high |= bits << (shift - 32);
      if (byte < 0x80) break;
      if (shift >= 63) throw new ProtocolError("a varint has more than ten bytes");
    }
    this.position = position;
    // Zigzag, in two halves.
    const sign = -(low & 1);
    this.low = ((low >>> 1) | (high << 31)) ^ sign;
    this.high = (high >>> 1) ^ sign;
  }

  readDouble(): number {
    this.need(8, "a double");
    const { position } = this;
    this.position = position + 8;
    // Little-endian, unlike in the binary protocol.
    return this.view.getFloat64(position, true);
  }

  readString(): string {
    const length = this.readVarint();
    const start = this.position;
    if (length > this.end - start || length > this.limits.maxStringBytes) checkLength(length, this.end - start, this.limits);
    this.position = start + length;
    return readText(this.bytes, start, start + length);
  }

  /** A copy: what it is read from may be used again at once. */
  readBinary(): Buffer {
    const length = this.readVarint();
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
        this.readBool();
        return;
      case wireTypes.i8:
        return this.skipBytes(1);
      case wireTypes.i16:
      case wireTypes.i32:
      case wireTypes.i64:
        this.readVarint();
        return;
      case wireTypes.double:
        return this.skipBytes(8);
      case wireTypes.uuid:
        return this.skipBytes(16);
      case wireTypes.string: {
        const length = this.readVarint();
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

  /** Skips the value of a field whose compact type is given; a boolean has no bytes there. */
  skipField(compactType: number): void {
    if (compactType === compactTypes.true || compactType === compactTypes.false) return;
    this.pendingBoolean = noBoolean;
    this.skip(wireTypeOf[compactType] ?? noType(compactType));
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

function noType(type: number): never {
  throw unknownType(type);
}

function elementType(type: number): number {
  const found = wireTypeOf[type];
  if (found === undefined || found === wireTypes.stop) throw unknownType(type);
  return found;
}

/** How many bytes an element takes at least. */
function leastOf(type: number): number {
  if (type === wireTypes.double) return 8;
  return type === wireTypes.uuid ? 16 : 1;
}
