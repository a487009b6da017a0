import type { IdlError } from "./idl-error.ts";
import type { BaseTypeName, Place, Requiredness } from "./syntax.ts";

/** A type with all its names resolved; typedefs are gone. */
export type Type =
  | { readonly kind: BaseTypeName }
  | { readonly kind: "list" | "set"; readonly element: Type }
  | { readonly kind: "map"; readonly key: Type; readonly value: Type }
  | { readonly kind: "enum"; readonly enum: Enum }
  | { readonly kind: "struct"; readonly struct: Struct };

export interface Enum {
  readonly name: string;
  /** The file that defines it, by its real name: with the name, what tells it from others. */
  readonly file: string;
  readonly values: ReadonlyMap<string, number>;
  readonly doc: string | undefined;
}

export interface Field {
  /** -32,768 to 32,767. */
  readonly id: number;
  readonly name: string;
  readonly type: Type;
  readonly requiredness: Requiredness;
  /** `undefined` where there is none. */
  readonly defaultValue: Constant | undefined;
  readonly doc: string | undefined;
}

/** A struct, union or exception. A struct may contain itself, by way of its fields. */
export interface Struct {
  readonly kind: "struct" | "union" | "exception";
  readonly name: string;
  /** The file that defines it, by its real name: with the name, what tells it from others. */
  readonly file: string;
  /** In the order of the file. */
  readonly fields: readonly Field[];
  readonly doc: string | undefined;
}

export interface Method {
  readonly name: string;
  readonly oneway: boolean;
  /** The arguments as the struct that they are on the wire. */
  readonly args: Struct;
  /** `undefined` for void. */
  readonly result: Type | undefined;
  /** The declared exceptions; their ids are those of the result struct. */
  readonly throws: readonly Field[];
  readonly doc: string | undefined;
}

export interface Service {
  readonly name: string;
  /** By name; those of the services that it extends come first. */
  readonly methods: ReadonlyMap<string, Method>;
  readonly doc: string | undefined;
}

/** The value of a constant or a default, checked against its type. An i64 is a bigint; a uuid is text. */
export type Constant =
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "i64"; readonly value: bigint }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "list"; readonly items: readonly Constant[] }
  | { readonly kind: "map"; readonly entries: readonly (readonly [Constant, Constant])[] }
  | { readonly kind: "struct"; readonly struct: Struct; readonly fields: ReadonlyMap<string, Constant> };

/** A file that another one includes. */
export interface Include {
  /** What its names are written with: `shared` for `../common/shared.thrift`. */
  readonly prefix: string;
  readonly idl: Idl;
}

/** A file that is included and is not there: only who uses a name of it has to know. */
export interface MissingInclude {
  readonly prefix: string;
  /** Where it is included. */
  readonly place: Place;
  /** What to say of it: `"x.thrift" is not found (looked for …)`. */
  readonly problem: string;
}

/** Everything that one file defines. */
export interface Idl {
  readonly file: string;
  /** In the order of the file; two may have one prefix. */
  readonly includes: readonly Include[];
  readonly namespaces: ReadonlyMap<string, string>;
  readonly enums: ReadonlyMap<string, Enum>;
  readonly structs: ReadonlyMap<string, Struct>;
  readonly typedefs: ReadonlyMap<string, Type>;
  /** The typedefs of what no file defines: an error where one is used. */
  readonly unresolved: ReadonlyMap<string, IdlError>;
  readonly constants: ReadonlyMap<string, { readonly type: Type; readonly value: Constant }>;
  readonly services: ReadonlyMap<string, Service>;
  /** What Apache's compiler takes, too, though it is hardly what was meant: of this file alone. */
  readonly warnings: readonly IdlError[];
}

export type { Place };
