import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { projectFolder } from "./project-folder.ts";

/** The path of a file of this package, wherever this code was bundled to. */
export function packageFile(name: string): string {
  return join(projectFolder(dirname(fileURLToPath(import.meta.url))), name);
}
