import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The nearest folder, this one or one above it, that has a `package.json`; else this one. The root of a file system is nobody's project. */
export function projectFolder(folder: string): string {
  for (let each = folder; dirname(each) !== each; each = dirname(each)) {
    if (existsSync(join(each, "package.json"))) return each;
  }
  return folder;
}
