import type { MethodCodec } from "../codec/codec.ts";

/** A call while it lasts. */
export interface Call {
  readonly method: string;
  readonly oneway: boolean;
  readonly codec: MethodCodec;
  readonly values: readonly unknown[];
  readonly headers: ReadonlyMap<string, string>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}
