import type { Type } from "../idl/model.ts";

/** How one protocol's bytes are read and written, as JavaScript text. The code around it has `b` (the bytes), `p` (the position), `e` (the end), and `r` or `w`. */
export interface Emitter {
  /** Statements that read all fields into their variables, up to the end of the struct. */
  readFields(fields: readonly EmittedField[]): string;
  /** Statements that write the fields whose values are there, and the end of the struct. */
  writeFields(fields: readonly EmittedField[]): string;
}

export interface EmittedField {
  readonly id: number;
  readonly type: Type;
  /** The variable of its value: `undefined` (or null) where the field is not there. */
  readonly variable: string;
  /** For messages: `Item.id`. */
  readonly path: string;
}

/** What the code of a codec may refer to besides its own. */
export interface EmitContext {
  /** The name of the function that reads, or writes, a struct. */
  structFunction(type: Extract<Type, { kind: "struct" }>, direction: "read" | "write"): string;
  /** A name that is not yet in use. */
  fresh(prefix: string): string;
  readonly i64: "bigint" | "number";
}

/** Gives what the reader or writer must be told before its methods are called, and taken from it afterwards. */
export function viaReader(call: string): string {
  return `r.position = p; ${call}; p = r.position;`;
}

export function viaWriter(call: string): string {
  return `w.position = p; ${call}; b = w.bytes; p = w.position;`;
}

export function reserve(count: string | number): string {
  return `if (p + ${count} > b.length) { w.position = p; b = w.reserve(${count}); }`;
}

/** Calls of the path a value has in messages. */
export function wrong(path: string, expected: string, value: string): string {
  return `wrongValue(${JSON.stringify(path)}, ${JSON.stringify(expected)}, ${value})`;
}

export function isThere(variable: string): string {
  return `${variable} !== undefined && ${variable} !== null`;
}

/** Containers in containers, and structs in them, count as nesting. */
export function nests(type: Type): boolean {
  return type.kind === "struct" || type.kind === "list" || type.kind === "set" || type.kind === "map";
}

/** A bigint or number of the halves `high` and `low`. */
export function i64Value(i64: "bigint" | "number", high: string, low: string): string {
  if (i64 === "bigint") return `bigintOf(${high}, ${low})`;
  return `${high} < 0x1fffff && ${high} > -0x1fffff ? ${high} * 0x100000000 + (${low} >>> 0) : safeNumber(${high}, ${low})`;
}
