import { createRequire } from "node:module";
import type { Registry } from "prom-client";

const { cache } = createRequire(import.meta.url);
const isPromClient = /[\\/]prom-client[\\/]index\.js$/;

/** The default registries of every copy of prom-client that has been loaded: an app may have one of its own. None is loaded here. */
export function promClientRegistries(): Registry[] {
  const registries = new Set<Registry>();
  for (const path in cache) {
    if (!isPromClient.test(path)) continue;
    const { register } = (cache[path]?.exports ?? {}) as { register?: Registry };
    if (register !== undefined) registries.add(register);
  }
  return [...registries];
}
