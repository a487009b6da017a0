import { createRequire } from "node:module";
import { join } from "node:path";

/**
 * Where an optional package is: the copy that the app has, so that what the app calls and what the server calls are the same; where
 * the app has none, the copy that is installed beside the server.
 *
 * @param from files or folders from which it is looked for, one after the other: the INI file's folder first, then the module that asks
 * @returns the path of its main file, as `require` finds it; `undefined` where it is not installed
 * @throws {Error} Node's own, where it is installed and has no such entry
 */
export function resolvePeer(name: string, from: readonly string[]): string | undefined {
  for (const place of from) {
    if (place === "") continue;
    try {
      return createRequire(isFile(place) ? place : join(place, "tsserve-looks-from-here.js")).resolve(name);
    } catch (error) {
      // Yarn's Plug'n'Play says so, too, of a package that the asking one does not name among its dependencies.
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  return undefined;
}

/** Loads it from there. @returns `undefined` where it is not installed @throws {Error} what it throws while it is loaded, or `resolvePeer` */
export function requirePeer(name: string, from: readonly string[]): unknown {
  const path = resolvePeer(name, from);
  return path === undefined ? undefined : createRequire(path)(path);
}

function isFile(place: string): boolean {
  return place.startsWith("file:") || /\.[cm]?[jt]sx?$/.test(place);
}
