import { accessSync, chmodSync, constants, lstatSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseFileName } from "./file-names.ts";
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
    if (!found.isDirectory() || !isOwn(found.uid)) throw new Error(`${folder} belongs to somebody else`, { cause: error });
  }
  return folder;
}

/**
 * Looks at a folder that others may remove together with all that is in it, such as the one for temporary files.
 *
 * @returns makes it anew where it has gone, for whom it was; that alone, not those above it. It throws when that can't be done
 */
export function keepFolder(folder: string): () => void {
  const mode = modeOf(folder);
  return () => {
    if (mode === undefined || modeOf(folder) !== undefined) return;
    mkdirSync(folder);
    chmodSync(folder, mode);
  };
}

function modeOf(folder: string): number | undefined {
  const found = statSync(folder, { throwIfNoEntry: false });
  return found && found.mode & 0o7777;
}

/** Where `openFolder` has it. */
export function folderOf({ pid, startedAt }: ProcessIdentity, parent: string = tmpdir()): string {
  return join(parent, `${prefix}${pid}-${startedAt}`);
}

/** Says of all files of ours that they are still needed: of a worker that is no more, nobody writes. */
export function touchFiles(folder: string, now: number): void {
  for (const name of readdirSync(folder))
    if (isOurs(name)) utimesSync(join(folder, name), now / 1000, statSync(join(folder, name)).mtimeMs / 1000);
}

/** Removes what is ours in it, and the folder where nothing else is left. */
export function removeFolder(folder: string): void {
  try {
    for (const name of readdirSync(folder)) if (isOurs(name)) rmSync(join(folder, name), { force: true });
    rmdirSync(folder);
  } catch {
    // It has gone already, or somebody keeps something there.
  }
}

/**
 * Removes folders whose master has gone. Where processes of another container write, the master can't be seen from here: it is
 * known by what is still written. Folders of other users, as root sees them, and those in which others have files stay.
 */
function removeAbandoned(parent: string): void {
  for (const name of readdirSync(parent)) {
    const match = /^tsserve-metrics-(\d+)-(\d+)$/.exec(name);
    if (match === null || isAlive({ pid: Number(match[1]), startedAt: Number(match[2]) })) continue;
    const folder = join(parent, name);
    try {
      const found = lstatSync(folder);
      if (!found.isDirectory() || !isOwn(found.uid)) continue;
      const names = readdirSync(folder);
      if (!names.every(isOurs)) continue;
      const written = names.map((file) => lstatSync(join(folder, file)).mtimeMs);
      if (Math.max(found.mtimeMs, ...written) < Date.now() - abandonedMs) removeFolder(folder);
    } catch {
      // It has just been removed, or can't be read by this user.
    }
  }
}

function isOurs(name: string): boolean {
  const { kind } = parseFileName(name);
  return kind !== "foreign" && kind !== "version";
}

function isOwn(uid: number): boolean {
  return process.getuid === undefined || uid === process.getuid();
}

/** This process, or its master. */
export function identity(pid: number): ProcessIdentity {
  return identityOf(pid) ?? { pid, startedAt: 0 };
}
