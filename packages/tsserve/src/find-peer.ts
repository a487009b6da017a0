import { createRequire } from "node:module";
import { join } from "node:path";

/**
 * The package of a name as the app has it, so that both speak to the same copy: what the app registers on its prom-client is found
 * on ours.
 *
 * @param from files or folders, from which it is looked for one after the other
 * @returns `undefined` where there is none, or it can't be loaded
 */
export function findPeer(name: string, from: readonly string[]): unknown {
  for (const place of from) {
    if (place === "") continue;
    try {
      return createRequire(/\.[cm]?[jt]sx?$/.test(place) ? place : join(place, "tsserve-looks-from-here.js"))(name) as unknown;
    } catch {
      // It is not installed there.
    }
  }
  return undefined;
}
