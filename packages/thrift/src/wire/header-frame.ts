import { inflateSync } from "node:zlib";
import type { WireLimits } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";
import type { ProtocolName } from "./types.ts";
import { varintLength, VarintCursor, writeVarint } from "./varint.ts";

/** Header names and values are byte strings, here as latin1. */
export type Headers = ReadonlyMap<string, string>;

/** What a THeader frame holds. Source: doc/specs/HeaderFormat.md of Apache Thrift. */
export interface HeaderFrame {
  readonly protocol: ProtocolName;
  readonly flags: number;
  readonly sequenceId: number;
  readonly headers: Headers;
  /** The message: a part of the frame's bytes, or what it inflated to. */
  readonly payload: Buffer;
}

/** The frame can't be read because of a transform that is not known: the client is told (TApplicationException, type 8). */
export class UnknownTransformError extends ProtocolError {
  readonly transform: number;

  constructor(transform: number) {
    super(`the transform ${transform} is not known; zlib (1) is`);
    this.transform = transform;
  }
}

export const headerMagic = 0x0fff;
const zlibTransform = 1;
const keyValueInfo = 1;
const protocolIds: Readonly<Record<ProtocolName, number>> = { binary: 0, compact: 2 };
const protocolNames: Readonly<Record<number, ProtocolName>> = { 0: "binary", 2: "compact" };
/** Magic, flags, sequence id and the header's size. */
const fixedBytes = 10;

/**
 * Reads a frame without its length prefix.
 *
 * @throws {UnknownTransformError}
 * @throws {ProtocolError} when it is broken or passes a limit
 */
export function readHeaderFrame(frame: Buffer, limits: WireLimits): HeaderFrame {
  if (frame.length < fixedBytes) throw new ProtocolError(`a THeader frame of ${frame.length} bytes is too short`);
  const headerBytes = frame.readUInt16BE(8) * 4;
  if (headerBytes > limits.maxHeaderBytes)
    throw new ProtocolError(`the header of ${headerBytes} bytes is longer than the limit (${limits.maxHeaderBytes})`);
  const payloadStart = fixedBytes + headerBytes;
  if (payloadStart > frame.length) throw new ProtocolError(`the header of ${headerBytes} bytes goes on past the frame's end`);
  const cursor = new VarintCursor(frame, fixedBytes, payloadStart);
  const protocolId = cursor.next();
  const protocol = protocolNames[protocolId];
  if (protocol === undefined) throw new ProtocolError(`the protocol ${protocolId} is not known; binary (0) and compact (2) are`);
  const transforms = Array.from({ length: countOf(cursor, cursor.remaining) }, () => cursor.next());
  const headers = readHeaders(cursor, limits);
  const payload = transforms.reduceRight((bytes, transform) => undo(transform, bytes, limits), frame.subarray(payloadStart));
  return { protocol, flags: frame.readUInt16BE(2), sequenceId: frame.readInt32BE(4), headers, payload };
}

const noHeaders: Headers = new Map();

/** Several blocks may follow one another, later ones win. What is no block of headers ends them: padding, or a kind nobody knows. */
function readHeaders(cursor: VarintCursor, limits: WireLimits): Headers {
  let headers: Map<string, string> | undefined;
  while (cursor.remaining > 0 && cursor.next() === keyValueInfo) {
    headers ??= new Map();
    const count = countOf(cursor, limits.maxHeaders);
    for (let i = 0; i < count; i++) {
      const name = cursor.string();
      headers.set(name, cursor.string());
    }
    if (headers.size > limits.maxHeaders) throw new ProtocolError(`there are more than ${limits.maxHeaders} headers`);
  }
  return headers ?? noHeaders;
}

/** A count is checked before anything is made of it. */
function countOf(cursor: VarintCursor, most: number): number {
  const count = cursor.next();
  if (count > Math.min(most, cursor.remaining)) throw new ProtocolError(`a count of ${count} is more than the header may hold`);
  return count;
}

function undo(transform: number, bytes: Buffer, limits: WireLimits): Buffer {
  if (transform !== zlibTransform) throw new UnknownTransformError(transform);
  try {
    return inflateSync(bytes, { maxOutputLength: limits.maxFrameBytes });
  } catch (error) {
    const reason =
      (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE"
        ? `it is more than ${limits.maxFrameBytes} bytes`
        : (error as Error).message;
    throw new ProtocolError(`the payload can't be inflated: ${reason}`, { cause: error });
  }
}

export interface HeaderPart {
  readonly protocol: ProtocolName;
  readonly flags: number;
  readonly sequenceId: number;
  readonly headers: Headers;
}

/** How many bytes `writeHeaderPart` takes: the length prefix and everything before the payload. */
export function headerPartBytes({ headers }: Pick<HeaderPart, "headers">): number {
  return 4 + fixedBytes + paddedHeaderBytes(headers);
}

/**
 * Writes the length prefix and everything before the payload, without transforms.
 *
 * @param payloadBytes how long the message is that follows
 * @returns the position of the payload
 * @throws {ProtocolError} when the headers take more than the 262,140 bytes that the format has for them
 */
export function writeHeaderPart(bytes: Buffer, start: number, part: HeaderPart, payloadBytes: number): number {
  const headerBytes = paddedHeaderBytes(part.headers);
  if (headerBytes > 0xffff * 4) throw new ProtocolError(`headers of ${headerBytes} bytes do not fit into a THeader frame`);
  bytes.writeUInt32BE(fixedBytes + headerBytes + payloadBytes, start);
  bytes.writeUInt16BE(headerMagic, start + 4);
  bytes.writeUInt16BE(part.flags, start + 6);
  bytes.writeInt32BE(part.sequenceId, start + 8);
  bytes.writeUInt16BE(headerBytes / 4, start + 12);
  const payloadStart = start + 14 + headerBytes;
  let position = start + 14;
  bytes[position++] = protocolIds[part.protocol];
  bytes[position++] = 0; // No transforms.
  if (part.headers.size > 0) {
    bytes[position++] = keyValueInfo;
    position = writeVarint(bytes, position, part.headers.size);
    for (const [name, value] of part.headers) {
      position = writeString(bytes, position, name);
      position = writeString(bytes, position, value);
    }
  }
  bytes.fill(0, position, payloadStart);
  return payloadStart;
}

function writeString(bytes: Buffer, position: number, text: string): number {
  const start = writeVarint(bytes, position, text.length);
  return start + bytes.write(text, start, "latin1");
}

/** The protocol's id, the number of transforms and the headers, up to a multiple of four. */
function paddedHeaderBytes(headers: Headers): number {
  let length = 2;
  if (headers.size > 0) {
    length += 1 + varintLength(headers.size);
    for (const [name, value] of headers) length += varintLength(name.length) + name.length + varintLength(value.length) + value.length;
  }
  return Math.ceil(length / 4) * 4;
}
