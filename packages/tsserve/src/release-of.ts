import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Name and version of the package that a folder belongs to, `shop@1.4.0`; `undefined` where there is none with a version. */
export function releaseOf(folder: string): string | undefined {
  for (let place = folder; ; place = dirname(place)) {
    const found = manifestIn(place);
    if (typeof found?.version === "string") return typeof found.name === "string" ? `${found.name}@${found.version}` : found.version;
    if (dirname(place) === place) return undefined;
  }
}

function manifestIn(folder: string): { readonly name?: unknown; readonly version?: unknown } | undefined {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return typeof manifest === "object" && manifest !== null ? manifest : undefined;
  } catch {
    // None here, or one that can't be read: the next folder may have one.
    return undefined;
  }
}
