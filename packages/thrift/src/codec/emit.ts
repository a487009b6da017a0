import type { Type } from "../idl/model.ts";

/** How one protocol's bytes are read and written, as JavaScript text. The code around it has `b` (the bytes), `v` (a view of the same memory), `p` (the position), `e` (the end), and `r` or `w`. */
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
  return `w.position = p; ${call}; b = w.bytes; v = w.view; p = w.position;`;
}

export function reserve(count: string | number): string {
  return `if (p + ${count} > b.length) { w.position = p; b = w.reserve(${count}); v = w.view; }`;
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

/** A view reads beyond no end of its memory: nothing is read where a message ends too early. */
export function within(bytes: number, what: string): string {
  return `if (p + ${bytes} > e) throw underrun(${JSON.stringify(what)});`;
}

/** Statements that write a field, and the most bytes that its head and its value take. */
interface WrittenField {
  readonly text: string;
  readonly headBytes: number;
  /** `undefined` for a value that makes room for itself. */
  readonly valueBytes: number | undefined;
}

/** The fields of a struct and its end: room is made once for as many as are known to need so much. */
export function writeInRuns(fields: readonly WrittenField[]): string {
  const written: string[] = [];
  let run: string[] = [];
  let room = 0;
  const endRun = (): void => {
    written.push(reserve(room), ...run);
    run = [];
    room = 0;
  };
  for (const { text, headBytes, valueBytes } of fields) {
    run.push(text);
    room += headBytes + (valueBytes ?? 0);
    // What makes room for itself leaves none behind it.
    if (valueBytes === undefined) endRun();
  }
  room += 1;
  run.push("b[p++] = 0;");
  endRun();
  return `${written.join("\n")}\nw.position = p;`;
}
