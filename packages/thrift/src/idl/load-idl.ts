import { IdlError } from "./idl-error.ts";
import type { Idl } from "./model.ts";
import { parseIdl } from "./parse-idl.ts";
import { resolveIdl } from "./resolve-idl.ts";

/** How an include is found and read: `undefined` when there is no such file. */
export interface IdlSource {
  /** The full name of `path`, as it is included from `from` (`undefined` for the first file). */
  locate(path: string, from: string | undefined): string;
  read(file: string): string | undefined;
}

/**
 * Reads a .thrift file and everything that it includes, each file once.
 *
 * @throws {IdlError} with file, line and column
 */
export function loadIdl(path: string, source: IdlSource): Idl {
  const loaded = new Map<string, Idl>();
  const loading: string[] = [];

  const load = (file: string, missing: () => IdlError): Idl => {
    const known = loaded.get(file);
    if (known !== undefined) return known;
    const text = source.read(file);
    if (text === undefined) throw missing();
    const syntax = parseIdl(text, file);
    loading.push(file);
    const includes = new Map<string, Idl>();
    for (const include of syntax.includes) {
      const target = source.locate(include.path, file);
      if (loading.includes(target))
        throw new IdlError(include.place, `"${include.path}" includes itself, by way of ${[...loading, target].join(" → ")}`);
      const idl = load(target, () => new IdlError(include.place, `"${include.path}" is not found (looked for ${target})`));
      includes.set(prefixOf(include.path), idl);
    }
    loading.pop();
    const idl = resolveIdl(syntax, includes);
    loaded.set(file, idl);
    return idl;
  };

  const file = source.locate(path, undefined);
  return load(file, () => new IdlError({ file, line: 1, column: 1 }, "there is no such file"));
}

/** `shared` for `../common/shared.thrift`: what its names are written with. */
function prefixOf(path: string): string {
  return (path.split("/").at(-1) ?? path).replace(/\.thrift$/, "");
}
