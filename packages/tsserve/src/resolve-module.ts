import { existsSync, readdirSync, statSync } from "node:fs";
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
  if (existsSync(path) && statSync(path).isFile()) return pathToFileURL(path).href;
  throw moduleNotFound("", path, hint(path));
}

/** A folder in place of a file, a wrong ending or a slip of the finger. */
function hint(path: string): string {
  if (!existsSync(dirname(path))) return ` (the folder ${dirname(path)} does not exist)`;
  if (existsSync(path)) return " (it is a folder; name the file in it)";
  const siblings = readdirSync(dirname(path)).filter((name) => /\.[cm]?[jt]s$/.test(name));
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
    throw moduleNotFound("", `"${specifier}" is not installed where ${folder} finds its packages`, `${reason}${path}`);
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
