import type { Reader, Writer } from "../codec/codec.ts";
import type { ProtocolName } from "../wire/types.ts";
import type { ThriftContext } from "./thrift-context.ts";

/** What a method needs to know of the request that it answers. */
export interface MethodCall extends ThriftContext {
  readonly protocol: ProtocolName;
  readonly sequenceId: number;
  /** What Apache-generated code wants to be called with the result. */
  generatedCallback: ((error: unknown, value?: unknown) => void) | undefined;
}

/** A method with the handler that answers it, however its arguments are read and its results written. */
export interface BoundMethod {
  readonly name: string;
  /** Whether the IDL says so; `undefined` where that is not known until it is called. */
  readonly oneway: boolean | undefined;
  /** Whether it is none of the service's: its name is whatever the client wrote. */
  readonly isUnknown?: boolean;
  /** Whether it is a health probe that the server answers for the app. */
  readonly isProbe?: boolean;
  /**
   * Reads the arguments, calls the handler, and gives what it gives: a value or a promise of one.
   *
   * @throws {ProtocolError} while `reader.depth` is not zero, when the arguments are broken
   */
  call(reader: Reader, writer: Writer, request: MethodCall): unknown;
  /** Writes the whole message of the result. @throws when the value does not fit its type */
  writeResult(writer: Writer, request: MethodCall, value: unknown): void;
  /** Writes the whole message of a declared exception; false for any other error, whatever was written then. */
  writeError(writer: Writer, request: MethodCall, error: unknown): boolean;
}

/** Stands for a method that the service does not have. */
export function unknownMethod(name: string): BoundMethod {
  return {
    name,
    isUnknown: true,
    oneway: false,
    call: () => undefined,
    writeResult: () => undefined,
    writeError: () => false,
  };
}
