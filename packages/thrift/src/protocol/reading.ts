import type { WireLimits } from "../wire/limits.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import { wireTypes } from "../wire/types.ts";

/** The bytes end before the message does: in a frame that is an error, without one more may come. */
export class UnderrunError extends ProtocolError {
  constructor(what: string) {
    super(`the message ends within ${what}`);
  }
}

/** The head of a message. */
export interface MessageHead {
  name: string;
  type: number;
  sequenceId: number;
}

/** Message types (doc/specs/thrift-rpc.md). */
export const messageTypes = { call: 1, reply: 2, exception: 3, oneway: 4 } as const;

/**
 * Checks a declared length before anything is made of it.
 *
 * @throws {ProtocolError}
 */
export function checkLength(length: number, remaining: number, limits: WireLimits): void {
  if (length < 0) throw new ProtocolError(`a string of ${length} bytes`);
  if (length > limits.maxStringBytes)
    throw new ProtocolError(`a string of ${length} bytes is longer than max_string_size (${limits.maxStringBytes})`);
  if (length > remaining) throw new UnderrunError("a string");
}

export function tooDeep(limits: WireLimits): ProtocolError {
  return new ProtocolError(`the message nests deeper than max_depth (${limits.maxDepth})`);
}

export function tooManyElements(limits: WireLimits): ProtocolError {
  return new ProtocolError(`the message's containers hold more than max_container_size (${limits.maxContainerElements}) elements`);
}

/** What skipping needs of a reader. */
interface Skipping {
  readonly limits: WireLimits;
  depth: number;
  readStructBegin(): unknown;
  readStructEnd(): void;
  readFieldBegin(): { readonly ftype: number };
  skip(type: number): void;
}

export function skipStruct(reader: Skipping): void {
  reader.readStructBegin();
  for (;;) {
    const { ftype } = reader.readFieldBegin();
    if (ftype === wireTypes.stop) break;
    reader.skip(ftype);
  }
  reader.readStructEnd();
}

/** @param mapValueType of a map, whose `type` is that of its keys */
export function skipElements(reader: Skipping, size: number, type: number, mapValueType?: number): void {
  if (++reader.depth > reader.limits.maxDepth) throw tooDeep(reader.limits);
  for (let index = 0; index < size; index++) {
    reader.skip(type);
    if (mapValueType !== undefined) reader.skip(mapValueType);
  }
  reader.depth -= 1;
}

export function unknownType(type: number): ProtocolError {
  return new ProtocolError(`the type ${type} is not known`);
}

export function uuidText(bytes: Buffer, start: number): string {
  const hex = bytes.toString("hex", start, start + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export function uuidBytes(text: unknown): Buffer {
  if (typeof text !== "string" || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text))
    throw new RangeError(`expected a uuid, found ${String(text)}`);
  return Buffer.from(text.replaceAll("-", ""), "hex");
}
