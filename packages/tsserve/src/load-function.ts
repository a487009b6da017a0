import { badReference, isTsserveError, moduleThrew, notAFunction, notExported, placed } from "@tsserve/config";
import { isThenable } from "@tsserve/server";
import { fileURLToPath } from "node:url";
import { importModule } from "./import-module.ts";
import { locateSyntaxError } from "./locate-syntax-error.ts";
import { esModuleHint, isCommonJs, requireModule } from "./module-kind.ts";
import { resolveModule } from "./resolve-module.ts";
import { supportTypeScript, tsxHint } from "./typescript-loader.ts";

export interface LoadedFunction {
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever the user's function takes
  readonly call: (...args: any[]) => unknown;
  /** Everything that its module exports. */
  readonly module: Readonly<Record<string, unknown>>;
}

/**
 * Loads what `MODULE[:NAME]` names.
 *
 * @param place where it is written, for messages: `myapp.ini:3: [app:main] factory`
 * @param folder the folder of the INI file
 * @param defaultName the export to take when no NAME is written; then the default export
 * @param isApp whether a value is what the function would give: then it is given as it is
 * @throws {TsserveError} module not found, module threw, name not exported, not a function: each in its own words
 */
export async function loadFunction(
  written: string,
  place: string,
  folder: string,
  defaultName?: string,
  isApp?: (value: unknown) => boolean,
): Promise<LoadedFunction> {
  const { specifier, name } = parseWritten(written, place);
  const module = await loadModule(specifier, place, folder);
  const wanted = name ?? defaultName;
  if (wanted === undefined) throw badReference(place, written, "MODULE:FUNCTION");
  const named = exported(module, wanted);
  const value = named ?? (name === undefined ? defaultOf(module) : undefined);
  const what = named === undefined ? "the default export" : `"${wanted}"`;
  if (value === undefined) throw notExported(place, specifier, wanted, Object.keys(module));
  if (isApp?.(value) === true) return { call: () => value, module };
  // An app may be there only after a while, as `NestFactory.create` gives it.
  const settled: unknown = isApp !== undefined && isThenable(value) ? await value : value;
  if (isApp?.(settled) === true) return { call: () => settled, module };
  if (typeof settled !== "function") throw notAFunction(place, `${what} of ${specifier}`, typeName(settled));
  return { call: settled as LoadedFunction["call"], module };
}

function parseWritten(written: string, place: string): { specifier: string; name: string | undefined } {
  const match = /^(.+?)(?::([^:/]*))?$/.exec(written.trim());
  const [, specifier, name] = match ?? [];
  if (specifier === undefined || (name !== undefined && !/^[A-Za-z_$][\w$]*$/.test(name))) {
    throw badReference(place, written);
  }
  return { specifier, name };
}

/** Server factories of this very installation, whatever the INI file's folder has. */
const builtIn: Readonly<Record<string, () => Promise<object>>> = {
  "tsserve/http": () => import("./http.ts"),
  "tsserve/thrift": () => import("./thrift.ts"),
  "tsserve/queue": () => import("./queue.ts"),
};

async function loadModule(specifier: string, place: string, folder: string): Promise<Record<string, unknown>> {
  const ours = Object.hasOwn(builtIn, specifier) ? builtIn[specifier] : undefined;
  if (ours !== undefined) return { ...(await ours()) };
  let url: string;
  try {
    url = await resolveModule(specifier, folder);
  } catch (error) {
    throw isTsserveError(error) ? placed(place, error) : error;
  }
  const path = url.startsWith("file:") ? fileURLToPath(url) : undefined;
  const loader = path === undefined ? "none" : await supportTypeScript(path, place, process.env);
  try {
    if (path !== undefined && isCommonJs(path)) return requireModule(path);
    return (await importModule(url)) as Record<string, unknown>;
  } catch (error) {
    const hint = loader === "node" ? tsxHint : esModuleHint(error);
    throw moduleThrew(place, specifier, error, { where: locateSyntaxError(error, url), hint });
  }
}

/** A CommonJS module's exports may all be on its default. */
function exported(module: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(module, name)) return module[name];
  const inner: unknown = module["default"];
  if (typeof inner !== "object" || inner === null || !Object.hasOwn(inner, name)) return undefined;
  return (inner as Record<string, unknown>)[name];
}

/** An ES module's default export, also where it was compiled to CommonJS: there, `import` gives all its exports as the default. */
function defaultOf({ default: given }: Readonly<Record<string, unknown>>): unknown {
  const isCompiled = typeof given === "object" && given !== null && Object.hasOwn(given, "__esModule") && Object.hasOwn(given, "default");
  return isCompiled ? (given as Record<string, unknown>)["default"] : given;
}

function typeName(value: unknown): string {
  return value === null ? "null" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}
