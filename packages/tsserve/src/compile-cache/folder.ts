import { chmodSync, lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/**
 * The folder where what was compiled may be kept, or `undefined` where none is safe. Whoever can write there has code
 * run as this user: so it is the user's own, as are those above it up to the home folder, and nobody else may write to any
 * of them. In the folder for temporary files, which is Node's default, another user may have made it first.
 *
 * @param uid who runs the process; `undefined` on systems without users of this kind
 */
export function compileCacheFolder(env: Readonly<Record<string, string | undefined>>, uid: number | undefined): string | undefined {
  const home = env["HOME"];
  const cache = env["XDG_CACHE_HOME"] || (home && join(home, ".cache"));
  if (uid === undefined || !cache?.startsWith("/")) return undefined;
  try {
    if (home !== undefined && cache === join(home, ".cache") && !isOwn(home, uid)) return undefined;
    makeFolder(cache);
    if (!isOwn(cache, uid)) return undefined;
    const folder = join(cache, "tsserve");
    makeFolder(folder);
    if (!isOwn(folder, uid)) return undefined;
    chmodSync(folder, 0o700);
    return folder;
  } catch {
    // There is no such home, or it can't be written to.
    return undefined;
  }
}

/** One level only: of a path that goes on in a file system such as `/proc`, Node's `recursive` never comes to an end. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** A folder, no link to one, that belongs to the user, and that nobody else may write to. */
function isOwn(path: string, uid: number): boolean {
  const found = lstatSync(path);
  return found.isDirectory() && found.uid === uid && (found.mode & 0o022) === 0;
}
