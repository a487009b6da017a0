import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** The path of a file of this package, wherever this code was bundled to. */
export function packageFile(name: string): string {
  return join(dirname(createRequire(import.meta.url).resolve("tsserve/package.json")), name);
}
