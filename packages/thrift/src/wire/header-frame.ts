import { inflateSync } from "node:zlib";
import type { WireLimits } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";
import type { ProtocolName } from "./types.ts";
import { HeaderBlocks, keyValueInfo, type Headers } from "./header-blocks.ts";
import { varintLength, VarintCursor, writeVarint } from "./varint.ts";

/** What a THeader frame holds. Source: doc/specs/HeaderFormat.md of Apache Thrift. */
export interface HeaderFrame {
  readonly protocol: ProtocolName;
  readonly flags: number;
  readonly sequenceId: number;
  readonly headers: HeaderBlocks;
  /** Where the message is: a part of the frame's bytes, or what it inflated to. */
  readonly payload: Buffer;
  readonly payloadStart: number;
  readonly payloadEnd: number;
}

/** The frame can't be read because of a transform that is not known: the client is told (TApplicationException, type 8). */
export class UnknownTransformError extends ProtocolError {
  readonly transform: number;

  constructor(transform: number) {
    super(`the transform ${transform} is not known; zlib (1) is`);
    this.transform = transform;
  }
}

const headerMagic = 0x0fff;
const zlibTransform = 1;
/** One is usual; each may inflate to the longest frame. */
const mostTransforms = 4;
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
export function readHeaderFrame(bytes: Buffer, start: number, end: number, limits: WireLimits): HeaderFrame {
  if (end - start < fixedBytes) throw new ProtocolError(`a THeader frame of ${end - start} bytes is too short`);
  const headerBytes = (((bytes[start + 8] as number) << 8) | (bytes[start + 9] as number)) * 4;
  if (headerBytes > limits.maxHeaderBytes)
    throw new ProtocolError(`the header of ${headerBytes} bytes is longer than the limit (${limits.maxHeaderBytes})`);
  const headerStart = start + fixedBytes;
  const payloadStart = headerStart + headerBytes;
  if (payloadStart > end) throw new ProtocolError(`the header of ${headerBytes} bytes goes on past the frame's end`);
  const protocol = headerBytes === 0 ? undefined : protocolNames[bytes[headerStart] as number];
  if (protocol === undefined)
    throw new ProtocolError(`the protocol ${bytes[headerStart] ?? "that is missing"} is not known; binary (0) and compact (2) are`);
  const flags = ((bytes[start + 2] as number) << 8) | (bytes[start + 3] as number);
  const sequenceId = bytes.readInt32BE(start + 4);
  // The usual: no transforms.
  if (bytes[headerStart + 1] === 0) {
    const headers = new HeaderBlocks(bytes.toString("latin1", headerStart + 2, payloadStart), limits);
    return { protocol, flags, sequenceId, headers, payload: bytes, payloadStart, payloadEnd: end };
  }
  const cursor = new VarintCursor(bytes, headerStart + 1, payloadStart);
  const count = cursor.next();
  if (count > mostTransforms) throw new ProtocolError(`there are ${count} transforms, at most ${mostTransforms} are undone`);
  const transforms = Array.from({ length: count }, () => cursor.next());
  const headers = new HeaderBlocks(bytes.toString("latin1", cursor.position, payloadStart), limits);
  const payload = transforms.reduceRight((packed, transform) => undo(transform, packed, limits), bytes.subarray(payloadStart, end));
  return { protocol, flags, sequenceId, headers, payload, payloadStart: 0, payloadEnd: payload.length };
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

/** The most that the format has room for: the header's size is a number of words of 16 bits. */
export const mostHeaderPartBytes: number = 4 + fixedBytes + 0xffff * 4;

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
