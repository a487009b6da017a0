import { existsSync, readdirSync, statSync, type Stats } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { importModule } from "./import-module.ts";
import { didYouMean, moduleNotFound } from "@tsserve/config";

/**
 * The URL of a module as an INI file names it: a path from the file's folder (`./app.js`), or a
 * package or package subpath that is installed there (`my-app/server`).
 *
 * @param folder the folder of the INI file
 * @throws {TsserveError} when there is no such module
 */
export async function resolveModule(specifier: string, folder: string): Promise<string> {
  if (/^\.{0,2}\//.test(specifier)) return resolvePath(specifier, folder);
  return resolvePackage(specifier, folder);
}

function resolvePath(specifier: string, folder: string): string {
  const path = resolve(folder, specifier);
  const found = entryAt(path);
  if (found?.isFile() === true) return pathToFileURL(path).href;
  throw moduleNotFound(path, found === undefined ? hint(path) : " (it is a folder; name the file in it)");
}

/** @returns `undefined` also where one of its folders may not be looked into: `hint` tells */
function entryAt(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** A wrong ending, a slip of the finger, or a folder that is not there or can't be read. */
function hint(path: string): string {
  const folder = dirname(path);
  let siblings: string[];
  try {
    siblings = readdirSync(folder).filter((name) => /\.[cm]?[jt]s$/.test(name));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return ` (the folder ${folder} does not exist)`;
    return ` (the folder ${folder} can't be read: ${code === "EACCES" ? "permission denied" : message})`;
  }
  const stem = basename(path).replace(/\.[cm]?[jt]s$/, "");
  const otherEnding = siblings.find((name) => name.replace(/\.[cm]?[jt]s$/, "") === stem);
  return otherEnding === undefined ? didYouMean(basename(path), siblings) : `, did you mean "${otherEnding}"?`;
}

async function resolvePackage(specifier: string, folder: string): Promise<string> {
  const require = createRequire(join(folder, "tsserve-resolves-from-here.js"));
  try {
    const found = require.resolve(specifier);
    return found.startsWith("/") ? pathToFileURL(found).href : found;
  } catch (error) {
    const found = await resolveForImport(specifier, folder);
    if (found !== undefined) return found;
    const path = existsSync(resolve(folder, specifier)) ? `, did you mean "./${specifier}"?` : "";
    const reason =
      (error as NodeJS.ErrnoException).code === "ERR_PACKAGE_PATH_NOT_EXPORTED" ? " (the package exports no such subpath)" : "";
    throw moduleNotFound(`"${specifier}" is not installed where ${folder} finds its packages`, `${reason}${path}`);
  }
}

/** Packages that can only be imported: `require.resolve` refuses them, and Node offers no `resolve` from another folder. */
async function resolveForImport(specifier: string, folder: string): Promise<string | undefined> {
  const { resolve: resolveImport } = (await importModule("import-meta-resolve")) as typeof import("import-meta-resolve");
  try {
    const found = resolveImport(specifier, pathToFileURL(join(folder, "tsserve-resolves-from-here.js")).href);
    return existsSync(fileURLToPath(found)) ? found : undefined;
  } catch {
    return undefined;
  }
}
