import { readdirSync, statSync, type Dirent, type Stats } from "node:fs";
import { join } from "node:path";
import type { WatchedFiles } from "./watched-files.ts";

/** A file system's times are those of the kernel's last tick, and so may lie this much before the clock's. */
const tickMs = 20;

/** What lies below some folders at one time, also behind links. */
export interface FilesBelow {
  /** The watched files, each with its state. */
  readonly states: ReadonlyMap<string, FileState>;
  /** The folders that are not ignored, each with its inode. */
  readonly folders: ReadonlyMap<string, number>;
}

/** Another text when the file has been written, or another one has come under its name. `undefined` is equal to no state. */
export type FileState = string | undefined;

/** Lists the watched files below some folders, and the folders themselves. What can't be read is left out. */
export function filesBelow(roots: readonly string[], files: WatchedFiles): FilesBelow {
  const states = new Map<string, FileState>();
  const folders = new Map<string, number>();
  const list = (path: string, around: readonly number[]): void => {
    const stats = statsOf(path);
    // A link may lead to a folder that it lies in.
    if (stats === undefined || around.includes(stats.ino)) return;
    if (stats.isFile() && files.isWatched(path)) states.set(path, fileState(stats));
    if (!stats.isDirectory() || files.isIgnoredFolder(path)) return;
    folders.set(path, stats.ino);
    for (const { name } of entriesOf(path)) list(join(path, name), [...around, stats.ino]);
  };
  for (const root of roots) list(root, []);
  return { states, folders };
}

/** A file that was written within the last tick may be written again and keep its time: nobody can tell its states apart. */
export function fileState({ ino, ctimeMs, size }: Stats): FileState {
  return ctimeMs < Date.now() - tickMs ? `${ino} ${ctimeMs} ${size}` : undefined;
}

/** @returns `undefined` where nothing is, or a link leads nowhere */
export function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** What a folder has; nothing where it can't be read. */
export function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
