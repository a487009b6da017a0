/**
 * The Thrift IDL: `parseIdl` reads the text of one file, `loadIdl` a file with all that it includes, every
 * name resolved and every constant checked. Errors name file, line and column.
 */
export { IdlError } from "./idl/idl-error.ts";
export { loadIdl } from "./idl/load-idl.ts";
export { parseIdl } from "./idl/parse-idl.ts";

export type { IdlSource } from "./idl/load-idl.ts";
export type { Constant, Enum, Field, Idl, Method, Service, Struct, Type } from "./idl/model.ts";
export type { FileSyntax, Place, Requiredness } from "./idl/syntax.ts";
