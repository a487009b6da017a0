import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { BrokerError } from "./outcome-errors.ts";

/**
 * Loads an optional peer of this package: from where the package is, else from the folder that the process runs in, because
 * a tsserve that is linked does not see the app's packages.
 *
 * @param neededBy for the message: `consumer "orders"`
 * @throws {BrokerError} `library`, with what to install
 */
export async function loadPeer<T>(name: string, load: () => Promise<T>, neededBy: string): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if (!isNotFound(cause)) throw cause;
    const path = resolveFrom(process.cwd(), name);
    if (path !== undefined) return (await import(pathToFileURL(path).href)) as T;
    throw new BrokerError("library", `${neededBy} needs ${name}: npm install ${name}`, { isPermanent: true, cause });
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
}

function resolveFrom(folder: string, name: string): string | undefined {
  try {
    return createRequire(join(folder, "package.json")).resolve(name);
  } catch {
    return undefined;
  }
}
