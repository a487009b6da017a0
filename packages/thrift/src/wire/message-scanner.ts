import type { WireLimits } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";
import { compactTypes, wireTypes, type ProtocolName } from "./types.ts";

/** A struct or container that is being scanned. */
interface Open {
  /** Type ids of the elements, in turn; none for a struct. */
  readonly elements: readonly number[];
  /** How many elements are still to come. */
  remaining: number;
}

/** What is read next, and what to do with it. */
type Reading =
  /** So many bytes, into the scratch; then `then`. */
  | { readonly kind: "bytes"; readonly count: number; readonly then: (scratch: Buffer) => void }
  | { readonly kind: "varint"; readonly then: (value: number) => void };

/** The longest thing that is read in one go: a map's two types and its size. */
const scratchBytes = 6;

/**
 * Finds the end of an unframed message that arrives in pieces, in linear time: what has been scanned is never
 * looked at again. Lengths are checked before they are waited for, and nothing is allocated for them.
 */
export class MessageScanner {
  readonly #limits: WireLimits;
  readonly #format: Format;
  readonly #open: Open[] = [];
  readonly #scratch = Buffer.alloc(scratchBytes);
  #gathered = 0;
  #varint = 0;
  #varintShift = 0;
  /** Bytes that may be anything; what is to be read comes after them. */
  #skip = 0;
  #reading: Reading | undefined;
  #scanned = 0;
  #elements = 0;
  #done = false;

  constructor(protocol: ProtocolName, limits: WireLimits) {
    this.#limits = limits;
    this.#format = protocol === "binary" ? binaryFormat(this.#actions) : compactFormat(this.#actions);
    this.#reading = this.#format.head;
  }

  /**
   * Scans the next piece.
   *
   * @returns the offset after the message's last byte, or -1 when the message goes on in the next piece
   * @throws {ProtocolError}
   */
  push(bytes: Buffer, from: number): number {
    let position = from;
    while (!this.#done) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, bytes.length - position);
        this.#skip -= skipped;
        position += skipped;
        if (this.#skip > 0) break;
      } else if (this.#reading === undefined) this.#nextValue();
      else if (position >= bytes.length) break;
      else position = this.#gather(bytes, position, this.#reading);
    }
    this.#scanned += position - from;
    if (this.#scanned > this.#limits.maxFrameBytes) throw this.#tooLong();
    return this.#done ? position : -1;
  }

  #gather(bytes: Buffer, start: number, reading: Reading): number {
    let position = start;
    if (reading.kind === "varint") {
      const byte = bytes[position++] as number;
      this.#varint += (byte & 0x7f) * 2 ** this.#varintShift;
      this.#varintShift += 7;
      if (byte >= 0x80) {
        if (this.#varintShift >= 70) throw new ProtocolError("a varint has more than ten bytes");
        return position;
      }
      const value = this.#varint;
      this.#varint = 0;
      this.#varintShift = 0;
      this.#reading = undefined;
      reading.then(value);
      return position;
    }
    while (this.#gathered < reading.count && position < bytes.length) this.#scratch[this.#gathered++] = bytes[position++] as number;
    if (this.#gathered < reading.count) return position;
    this.#gathered = 0;
    this.#reading = undefined;
    reading.then(this.#scratch);
    return position;
  }

  /** A value has ended: the next field or element, or the end of what holds it. */
  #nextValue(): void {
    const top = this.#open.at(-1);
    if (top === undefined) this.#done = true;
    else if (top.elements.length === 0) this.#reading = this.#format.field;
    else if (top.remaining === 0) this.#open.pop();
    else {
      const index = (top.elements.length - (top.remaining % top.elements.length)) % top.elements.length;
      top.remaining -= 1;
      this.#format.value(top.elements[index] as number);
    }
  }

  /** What a format tells the scanner to do. */
  get #actions(): Actions {
    return {
      read: (reading) => (this.#reading = reading),
      skip: (count) => (this.#skip = count),
      string: (length) => {
        if (length > this.#limits.maxStringBytes)
          throw new ProtocolError(`a string of ${length} bytes is longer than max_string_size (${this.#limits.maxStringBytes})`);
        this.#skipBytes(length);
      },
      struct: () => this.#push({ elements: [], remaining: 0 }),
      endStruct: () => void this.#open.pop(),
      container: (size, elements, fixedBytes) => {
        this.#elements += size * elements.length;
        if (this.#elements > this.#limits.maxContainerElements) {
          throw new ProtocolError(
            `the message's containers hold more than max_container_size (${this.#limits.maxContainerElements}) elements`,
          );
        }
        if (fixedBytes !== undefined) this.#skipBytes(size * fixedBytes);
        else this.#push({ elements, remaining: size * elements.length });
      },
    };
  }

  /** What can't end within the limit is not waited for. */
  #skipBytes(count: number): void {
    if (this.#scanned + count > this.#limits.maxFrameBytes) throw this.#tooLong();
    this.#skip = count;
  }

  #tooLong(): ProtocolError {
    return new ProtocolError(`the message is longer than max_frame_size (${this.#limits.maxFrameBytes})`);
  }

  #push(open: Open): void {
    if (this.#open.length >= this.#limits.maxDepth)
      throw new ProtocolError(`the message nests deeper than max_depth (${this.#limits.maxDepth})`);
    this.#open.push(open);
  }
}

interface Actions {
  read(reading: Reading): void;
  skip(count: number): void;
  string(length: number): void;
  struct(): void;
  endStruct(): void;
  /** `fixedBytes`: how long one element, or pair, is, where all have the same length. */
  container(size: number, elements: readonly number[], fixedBytes: number | undefined): void;
}

interface Format {
  /** The head of a message, up to its struct. */
  readonly head: Reading;
  /** The head of a field, or the end of its struct. */
  readonly field: Reading;
  value(type: number): void;
}

const binaryBytes: Readonly<Record<number, number>> = {
  [wireTypes.bool]: 1,
  [wireTypes.i8]: 1,
  [wireTypes.double]: 8,
  [wireTypes.i16]: 2,
  [wireTypes.i32]: 4,
  [wireTypes.i64]: 8,
  [wireTypes.uuid]: 16,
};

function binaryFormat({ read, skip, string, struct, endStruct, container }: Actions): Format {
  const length = (scratch: Buffer, offset = 0): number => {
    const value = scratch.readInt32BE(offset);
    if (value < 0) throw new ProtocolError(`a length of ${value}`);
    return value;
  };
  const stringReading: Reading = { kind: "bytes", count: 4, then: (scratch) => string(length(scratch)) };
  const listReading: Reading = {
    kind: "bytes",
    count: 5,
    then: (scratch) => container(length(scratch, 1), [scratch[0] as number], binaryBytes[scratch[0] as number]),
  };
  const mapReading: Reading = {
    kind: "bytes",
    count: 6,
    then: (scratch) => {
      const [key, value] = [scratch[0] as number, scratch[1] as number];
      const [keyBytes, valueBytes] = [binaryBytes[key], binaryBytes[value]];
      container(length(scratch, 2), [key, value], keyBytes === undefined || valueBytes === undefined ? undefined : keyBytes + valueBytes);
    },
  };
  const value = (type: number): void => {
    const fixed = binaryBytes[type];
    if (fixed !== undefined) skip(fixed);
    else if (type === wireTypes.string) read(stringReading);
    else if (type === wireTypes.struct) struct();
    else if (type === wireTypes.list || type === wireTypes.set) read(listReading);
    else if (type === wireTypes.map) read(mapReading);
    else throw new ProtocolError(`the type ${type} is not known`);
  };
  const name: Reading = {
    kind: "bytes",
    count: 4,
    then: (scratch) => (string(length(scratch)), read({ kind: "bytes", count: 4, then: struct })),
  };
  return {
    head: { kind: "bytes", count: 4, then: () => read(name) },
    field: {
      kind: "bytes",
      count: 1,
      then: ([type = 0]) => {
        if (type === wireTypes.stop) endStruct();
        else read({ kind: "bytes", count: 2, then: () => value(type) });
      },
    },
    value,
  };
}

const compactBytes: Readonly<Record<number, number>> = { [compactTypes.i8]: 1, [compactTypes.double]: 8, [compactTypes.uuid]: 16 };
/** In a container a boolean takes a byte; in a field it is in the field's head. */
const compactElementBytes: Readonly<Record<number, number>> = { ...compactBytes, [compactTypes.true]: 1, [compactTypes.false]: 1 };

function compactFormat({ read, skip, string, struct, endStruct, container }: Actions): Format {
  const size = (value: number): number => {
    if (value > 0x7fff_ffff) throw new ProtocolError(`a length of ${value}`);
    return value;
  };
  const integerReading: Reading = { kind: "varint", then: () => undefined };
  const stringReading: Reading = { kind: "varint", then: (value) => string(size(value)) };
  const list = (type: number, count: number): void => container(count, [type], compactElementBytes[type]);
  const listReading: Reading = {
    kind: "bytes",
    count: 1,
    then: ([head = 0]) => {
      if (head >> 4 < 15) list(head & 0x0f, head >> 4);
      else read({ kind: "varint", then: (value) => list(head & 0x0f, size(value)) });
    },
  };
  const mapReading: Reading = {
    kind: "varint",
    then: (value) => {
      // An empty map has no types.
      if (value === 0) return;
      read({
        kind: "bytes",
        count: 1,
        then: ([types = 0]) => {
          const [keyType, valueType] = [types >> 4, types & 0x0f];
          const [keyBytes, valueBytes] = [compactElementBytes[keyType], compactElementBytes[valueType]];
          container(
            size(value),
            [keyType, valueType],
            keyBytes === undefined || valueBytes === undefined ? undefined : keyBytes + valueBytes,
          );
        },
      });
    },
  };
  const value = (type: number): void => {
    const fixed = compactBytes[type];
    if (fixed !== undefined) skip(fixed);
    else if (type === compactTypes.i16 || type === compactTypes.i32 || type === compactTypes.i64) read(integerReading);
    else if (type === compactTypes.string) read(stringReading);
    else if (type === compactTypes.struct) struct();
    else if (type === compactTypes.list || type === compactTypes.set) read(listReading);
    else if (type === compactTypes.map) read(mapReading);
    else throw new ProtocolError(`the type ${type} is not known`);
  };
  // An element may be a boolean of a map whose other type has no fixed length.
  const element = (type: number): void => (type === compactTypes.true || type === compactTypes.false ? skip(1) : value(type));
  const fieldValue = (type: number): void => {
    if (type !== compactTypes.true && type !== compactTypes.false) value(type);
  };
  const name: Reading = { kind: "varint", then: (length) => (string(size(length)), read({ kind: "bytes", count: 0, then: struct })) };
  return {
    head: { kind: "bytes", count: 2, then: () => read({ kind: "varint", then: () => read(name) }) },
    field: {
      kind: "bytes",
      count: 1,
      then: ([head = 0]) => {
        const type = head & 0x0f;
        if (type === compactTypes.stop) endStruct();
        else if (head >> 4 === 0) read({ kind: "varint", then: () => fieldValue(type) });
        else fieldValue(type);
      },
    },
    value: element,
  };
}
