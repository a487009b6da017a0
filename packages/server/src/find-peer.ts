import { requirePeer } from "./resolve-peer.ts";

/**
 * The package of a name as the app has it, so that both speak to the same copy: what the app registers on its prom-client is found
 * on ours.
 *
 * @param from files or folders, from which it is looked for one after the other
 * @returns `undefined` where there is none, or it can't be loaded
 */
export function findPeer(name: string, from: readonly string[]): unknown {
  for (const place of from) {
    try {
      const found = requirePeer(name, [place]);
      if (found !== undefined) return found;
    } catch {
      // It can't be loaded from there.
    }
  }
  return undefined;
}
