import { readFileSync, realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { IdlSource } from "../idl/load-idl.ts";

/**
 * The files of the disk. Includes are looked for in the folder of what includes them, then in further folders.
 *
 * @param folders where includes are looked for after that, in this order
 */
export function idlFilesIn(folders: readonly string[] = []): IdlSource {
  return {
    locate: (path, from) => {
      if (from === undefined) return resolve(path);
      return [...new Set([dirname(from), ...folders].map((folder) => resolve(folder, path)))];
    },
    read: (file) => {
      try {
        return readFileSync(file, "utf8");
      } catch (error) {
        if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
        throw error;
      }
    },
    identify: (file) => {
      try {
        return realpathSync(file);
      } catch {
        // What is wrong with it, reading it will tell.
        return file;
      }
    },
  };
}

/** Those of the disk, without further folders. */
export const idlFiles: IdlSource = idlFilesIn();
