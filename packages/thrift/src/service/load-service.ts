import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { didYouMean } from "@tsserve/config";
import type { MethodCodec, I64Mode } from "../codec/codec.ts";
import { canCompile, compileCodecs } from "../codec/compile.ts";
import { makeExceptionClass, type ExceptionClass } from "../codec/exception-class.ts";
import { interpretCodecs } from "../codec/interpret.ts";
import { constantMaker, structsOf } from "../codec/values.ts";
import { loadIdl, type IdlSource } from "../idl/load-idl.ts";
import type { Idl, Service, Struct, Type } from "../idl/model.ts";
import type { ProtocolName } from "../wire/types.ts";
import { callerFolder } from "./caller-folder.ts";

export interface LoadServiceOptions {
  /** How the app sees an i64: as a bigint (default), or as a number, which is refused where it is no safe integer. */
  readonly i64?: I64Mode;
}

/** A service that can be served or called. */
export interface ThriftService {
  readonly name: string;
  readonly definition: Service;
  /** The methods' codecs, by protocol and name. */
  readonly codecs: Readonly<Record<ProtocolName, ReadonlyMap<string, MethodCodec>>>;
}

/** What a file defines beside its services; `tsserve thrift-types` writes the exact type of it. */
export interface AnyDefinitions {
  /** The classes of the exceptions that the file and what it includes define, by name: `throw new service.exceptions.NotFound({ … })`. */
  readonly exceptions: Readonly<Record<string, ExceptionClass>>;
  /** The enums' values: `service.enums.Colour.RED`. */
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** A service of a .thrift file, with what the file defines. */
export type LoadedService<Definitions extends object = AnyDefinitions> = ThriftService &
  Definitions & {
    readonly constants: Readonly<Record<string, unknown>>;
  };

/** Reads the files of the disk, includes from the folder of what includes them. */
export const idlFiles: IdlSource = {
  locate: (path, from) => (from === undefined ? resolve(path) : resolve(dirname(from), path)),
  read: (file) => {
    try {
      return readFileSync(file, "utf8");
    } catch (error) {
      if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
      throw error;
    }
  },
};

/**
 * Loads a service from its IDL, with no step that generates code: its readers and writers are made now.
 *
 * @param path a path from the folder of the module that calls this, or a URL
 * @param name the service's name
 * @throws {IdlError} with file, line and column
 * @throws {TypeError} when the file has no such service
 */
export function loadService<Definitions extends object = AnyDefinitions>(
  path: string | URL,
  name: string,
  options: LoadServiceOptions = {},
): LoadedService<Definitions> {
  const file = path instanceof URL ? fileURLToPath(path) : resolve(callerFolder(loadService) ?? process.cwd(), path);
  const idl = loadIdl(file, idlFiles);
  const definition = idl.services.get(name);
  if (definition === undefined) throw new TypeError(`${file} has no service "${name}"${didYouMean(name, [...idl.services.keys()])}`);
  return makeService(idl, definition, options) as ThriftService as LoadedService<Definitions>;
}

/** Makes the codecs of a service; walks the IDL at each message where code can't be made of text. */
export function makeService(
  idl: Idl,
  definition: Service,
  { i64 = "bigint" }: LoadServiceOptions = {},
  compiled: boolean = canCompile(),
): LoadedService {
  const classes = new Map<Struct, ExceptionClass>();
  const exceptionClass = (struct: Struct): ExceptionClass => {
    const known = classes.get(struct);
    if (known !== undefined) return known;
    const defaults = struct.fields.flatMap((field) =>
      field.defaultValue === undefined ? [] : [[field.name, constantMaker(field.defaultValue, field.type, i64)] as const],
    );
    const made = makeExceptionClass(struct, new Map(defaults));
    classes.set(struct, made);
    return made;
  };
  const options = { i64, exceptionClass };
  const codecs = (protocol: ProtocolName): ReadonlyMap<string, MethodCodec> =>
    compiled ? compileCodecs(definition, protocol, options) : interpretCodecs(definition, options);
  const structs = new Set([...idl.structs.values(), ...structsOf(typesOf(definition))]);
  const exceptions = [...structs].filter(({ kind }) => kind === "exception");
  return {
    name: definition.name,
    definition,
    codecs: { binary: codecs("binary"), compact: codecs("compact") },
    exceptions: Object.fromEntries(exceptions.map((struct) => [struct.name, exceptionClass(struct)])),
    enums: Object.fromEntries([...idl.enums].map(([name, { values }]) => [name, Object.freeze(Object.fromEntries(values))])),
    constants: Object.fromEntries([...idl.constants].map(([name, { type, value }]) => [name, constantMaker(value, type, i64)()])),
  };
}

function typesOf({ methods }: Service): readonly Type[] {
  return [...methods.values()].flatMap(({ args, result, throws }) => [
    ...args.fields.map(({ type }) => type),
    ...(result === undefined ? [] : [result]),
    ...throws.map(({ type }) => type),
  ]);
}
