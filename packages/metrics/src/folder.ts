import { accessSync, constants, lstatSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identityOf, isAlive, type ProcessIdentity } from "./process-identity.ts";

/** Living workers write all the time. */
const abandonedMs = 60_000;
const prefix = "tsserve-metrics-";

/**
 * Checks what `PROMETHEUS_MULTIPROC_DIR` says.
 *
 * @returns what is wrong with it, in words
 */
export function problemOfFolder(folder: string): string | undefined {
  try {
    if (!statSync(folder).isDirectory()) return "expected a folder, it is none";
    accessSync(folder, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return "expected an existing folder, there is none";
    return code === "EACCES" ? "expected a writable folder, permission denied" : (error as Error).message;
  }
}

/**
 * The folder that the workers of one master share, named after it; made when it is not there. Those that masters have
 * left behind are removed.
 *
 * @param parent default: where temporary files are
 * @throws {Error} when it can't be made, or belongs to somebody else
 */
export function openFolder(master: ProcessIdentity, parent: string = tmpdir()): string {
  removeAbandoned(parent);
  const folder = folderOf(master, parent);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const found = lstatSync(folder);
    // Names in a folder for everybody can be guessed.
    if (!found.isDirectory() || (process.getuid !== undefined && found.uid !== process.getuid()))
      throw new Error(`${folder} belongs to somebody else`, { cause: error });
  }
  return folder;
}

/** Where `openFolder` has it. */
export function folderOf({ pid, startedAt }: ProcessIdentity, parent: string = tmpdir()): string {
  return join(parent, `${prefix}${pid}-${startedAt}`);
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Whoever a folder is named after has gone; or is in another container, which shows by what is still written there. */
function removeAbandoned(parent: string): void {
  for (const name of readdirSync(parent)) {
    const match = /^tsserve-metrics-(\d+)-(\d+)$/.exec(name);
    if (match === null || isAlive({ pid: Number(match[1]), startedAt: Number(match[2]) })) continue;
    const folder = join(parent, name);
    try {
      const written = readdirSync(folder).map((file) => statSync(join(folder, file)).mtimeMs);
      if (Math.max(statSync(folder).mtimeMs, ...written) < Date.now() - abandonedMs) removeFolder(folder);
    } catch {
      // Somebody else's.
    }
  }
}

/** This process, or its master. */
export function identity(pid: number): ProcessIdentity {
  return identityOf(pid) ?? { pid, startedAt: 0 };
}
