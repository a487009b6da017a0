import type { BinaryReader } from "../protocol/binary-reader.ts";
import type { BinaryWriter } from "../protocol/binary-writer.ts";
import type { CompactReader } from "../protocol/compact-reader.ts";
import type { CompactWriter } from "../protocol/compact-writer.ts";

export type Reader = BinaryReader | CompactReader;
export type Writer = BinaryWriter | CompactWriter;

// oxlint-disable-next-line typescript/no-explicit-any -- whatever the arguments of a method are
export type Callable = (...args: any[]) => unknown;

/** Reads and writes what a method takes and gives, in one protocol. */
export interface MethodCodec {
  /**
   * Reads the arguments and calls a function with them, after `context` where that is not `undefined`.
   *
   * @throws {ProtocolError} before the call, when the arguments are broken
   */
  call(reader: Reader, callee: Callable, self: unknown, context: unknown): unknown;
  /** @throws {TypeError} when an argument does not fit its type */
  writeArguments(writer: Writer, values: readonly unknown[]): void;
  /** @throws {TypeError} when the value does not fit its type */
  writeResult(writer: Writer, value: unknown): void;
  /** Writes a declared exception; gives false, and writes nothing, for any other error. */
  writeError(writer: Writer, error: unknown): boolean;
  /** Gives the result, or throws the declared exception that came instead. */
  readResult(reader: Reader): unknown;
}

/** How an i64 is seen by the app. */
export type I64Mode = "bigint" | "number";
