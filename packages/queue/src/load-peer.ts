import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { importLibrary } from "./import-library.ts";
import { BrokerError } from "./outcome-errors.ts";

/**
 * Loads an optional peer of this package: from where the package is, else from the folder that the process runs in, because
 * a tsserve that is linked does not see the app's packages.
 *
 * @param neededBy for the message: `consumer "orders"`
 * @throws {BrokerError} `library`, with what to install
 */
export async function loadPeer<T>(name: string, load: () => T | Promise<T>, neededBy: string): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if (!isNotFound(cause, name)) throw cause;
    const path = resolveFrom(process.cwd(), name);
    if (path !== undefined) return (await importLibrary(pathToFileURL(path).href)) as T;
    throw new BrokerError("library", `${neededBy} needs ${name}: npm install ${name}`, { isPermanent: true, cause });
  }
}

/** As `import` says it, and as `require` does, which names it in the first line and then who asked. */
function isNotFound(error: unknown, name: string): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return (
    error.code === "ERR_MODULE_NOT_FOUND" || (error.code === "MODULE_NOT_FOUND" && error.message.startsWith(`Cannot find module '${name}'`))
  );
}

function resolveFrom(folder: string, name: string): string | undefined {
  try {
    return createRequire(join(folder, "package.json")).resolve(name);
  } catch {
    return undefined;
  }
}
