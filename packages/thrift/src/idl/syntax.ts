/**
 * The syntax tree of one .thrift file, as it is written: names are not resolved yet.
 * Source: the grammar of Apache Thrift, https://thrift.apache.org/docs/idl
 */
export interface Place {
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based. */
  readonly column: number;
}

export type BaseTypeName = "bool" | "i8" | "i16" | "i32" | "i64" | "double" | "string" | "binary" | "uuid";

export type TypeSyntax =
  | { readonly kind: "base"; readonly name: BaseTypeName; readonly place: Place }
  | { readonly kind: "list" | "set"; readonly element: TypeSyntax; readonly place: Place }
  | { readonly kind: "map"; readonly key: TypeSyntax; readonly value: TypeSyntax; readonly place: Place }
  | { readonly kind: "name"; readonly name: string; readonly place: Place };

export type ConstSyntax =
  | { readonly kind: "integer"; readonly value: bigint; readonly place: Place }
  | { readonly kind: "double"; readonly value: number; readonly place: Place }
  | { readonly kind: "string"; readonly value: string; readonly place: Place }
  | { readonly kind: "name"; readonly name: string; readonly place: Place }
  | { readonly kind: "list"; readonly items: readonly ConstSyntax[]; readonly place: Place }
  | { readonly kind: "map"; readonly entries: readonly (readonly [ConstSyntax, ConstSyntax])[]; readonly place: Place };

export type Requiredness = "required" | "optional" | "default";

export interface FieldSyntax {
  /** `undefined` where none is written: such fields count down from -1, as in Apache's compiler. */
  readonly id: number | undefined;
  readonly requiredness: Requiredness;
  readonly type: TypeSyntax;
  readonly name: string;
  readonly defaultValue: ConstSyntax | undefined;
  readonly doc: string | undefined;
  readonly place: Place;
}

export interface FunctionSyntax {
  readonly name: string;
  readonly oneway: boolean;
  /** `undefined` for void. */
  readonly returns: TypeSyntax | undefined;
  readonly args: readonly FieldSyntax[];
  readonly throws: readonly FieldSyntax[];
  readonly doc: string | undefined;
  readonly place: Place;
}

export interface EnumMemberSyntax {
  readonly name: string;
  readonly value: number | undefined;
  readonly doc: string | undefined;
  readonly place: Place;
}

interface Named {
  readonly name: string;
  readonly doc: string | undefined;
  readonly place: Place;
}

export type DefinitionSyntax =
  | (Named & { readonly kind: "const"; readonly type: TypeSyntax; readonly value: ConstSyntax })
  | (Named & { readonly kind: "typedef"; readonly type: TypeSyntax })
  | (Named & { readonly kind: "enum"; readonly members: readonly EnumMemberSyntax[] })
  | (Named & { readonly kind: "struct" | "union" | "exception"; readonly fields: readonly FieldSyntax[] })
  | (Named & { readonly kind: "service"; readonly base: string | undefined; readonly functions: readonly FunctionSyntax[] });

export interface FileSyntax {
  readonly file: string;
  readonly includes: readonly { readonly path: string; readonly place: Place }[];
  /** By language; `*` for all. */
  readonly namespaces: ReadonlyMap<string, string>;
  readonly definitions: readonly DefinitionSyntax[];
}
