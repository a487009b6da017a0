import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { UsageError } from "../usage-error.ts";

/**
 * Writes files that are not there yet: all of them, or none where one of them is.
 *
 * @param files by their paths from the folder, which is made where it is missing
 * @returns the paths that were written
 * @throws {UsageError} when one exists, or can't be written
 */
export function writeNewFiles(folder: string, files: ReadonlyMap<string, string>): string[] {
  const paths = [...files.keys()].map((name) => join(folder, name));
  const existing = paths.filter((path) => existsSync(path));
  if (existing.length > 0) throw new UsageError(`${existing.join(", ")}: exists already, and is not overwritten; nothing was written`);
  try {
    for (const [name, text] of files) {
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text, { flag: "wx" });
    }
  } catch (error) {
    throw new UsageError(`cannot write to ${folder}: ${(error as Error).message}`);
  }
  return paths;
}
