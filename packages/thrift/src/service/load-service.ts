import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { didYouMean } from "@tsserve/config";
import type { MethodCodec, I64Mode } from "../codec/codec.ts";
import { canCompile, compileCodecs } from "../codec/compile.ts";
import type { ExceptionClass } from "../codec/exception-class.ts";
import { exceptionClassOf } from "../codec/exception-classes.ts";
import { interpretCodecs } from "../codec/interpret.ts";
import type { IdlError } from "../idl/idl-error.ts";
import { loadIdl } from "../idl/load-idl.ts";
import type { Idl, Service, Struct } from "../idl/model.ts";
import { warningsOf } from "../idl/visible-names.ts";
import type { ProtocolName } from "../wire/types.ts";
import { callerFolder } from "./caller-folder.ts";
import { definitionsOf, type AnyDefinitions } from "./definitions.ts";
import { idlFilesIn } from "./idl-files.ts";

export interface LoadServiceOptions {
  /** How the app sees an i64: as a bigint (default), or as a number, which is refused where it is no safe integer. */
  readonly i64?: I64Mode;
  /** Folders in which includes are looked for after that of the file that includes them, from the folder of the module that calls this. Default none. */
  readonly includes?: readonly (string | URL)[];
}

/** A service that can be served or called. */
export interface ThriftService {
  readonly name: string;
  readonly definition: Service;
  /** The methods' codecs, by protocol and name. */
  readonly codecs: Readonly<Record<ProtocolName, ReadonlyMap<string, MethodCodec>>>;
  /** What is taken of its files as Apache's compiler takes it, though it is hardly what was meant; logged by who serves it. */
  readonly warnings: readonly IdlError[];
}

/** A service of a .thrift file, with what the file defines. */
export type LoadedService<Definitions extends object = AnyDefinitions> = ThriftService &
  Definitions & {
    readonly constants: Readonly<Record<string, unknown>>;
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
  const folder = callerFolder(loadService) ?? process.cwd();
  const absolute = (each: string | URL): string => (each instanceof URL ? fileURLToPath(each) : resolve(folder, each));
  const file = absolute(path);
  const idl = loadIdl(file, idlFilesIn(options.includes?.map(absolute)));
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
  const options = { i64, exceptionClass: (struct: Struct): ExceptionClass => exceptionClassOf(struct, i64) };
  const codecs = (protocol: ProtocolName): ReadonlyMap<string, MethodCodec> =>
    compiled ? compileCodecs(definition, protocol, options) : interpretCodecs(definition, options);
  return {
    name: definition.name,
    definition,
    codecs: { binary: codecs("binary"), compact: codecs("compact") },
    warnings: warningsOf(idl),
    ...definitionsOf(idl, i64, options.exceptionClass),
  };
}
