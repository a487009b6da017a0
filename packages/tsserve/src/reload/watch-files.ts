import { readdirSync, statSync, type Dirent } from "node:fs";
import { dirname, join, sep } from "node:path";
import { watch, type FSWatcher } from "chokidar";
import { realPathOf } from "../real-path-of.ts";
import type { WatchedFiles } from "./watched-files.ts";

/** An editor writes a file in several steps, and a tool several files. */
const settleMs = 50;

/** A file system's times are those of the kernel's last tick, and so may lie this much before the clock's. */
const tickMs = 20;

/**
 * Calls back with the paths that changed below some folders: files that are new, written, renamed into place or gone,
 * also behind links. What is there already is told of only where it changes while the folders are read for the first time.
 *
 * @returns ends it
 */
export function watchFiles(folders: readonly string[], files: WatchedFiles, onChange: (paths: readonly string[]) => void): () => void {
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const note = (paths: readonly string[]): void => {
    for (const path of paths) changed.add(path);
    clearTimeout(timer);
    timer = setTimeout(() => {
      onChange([...changed]);
      changed.clear();
    }, settleMs);
  };
  let watcher = open();
  return () => {
    clearTimeout(timer);
    void watcher.close();
  };

  function open(): FSWatcher {
    const inodes = new Map<string, number>();
    const { isIgnoredFolder, isWatched } = files;
    const sinceMs = Date.now() - tickMs;
    let isRead = false;
    const opened = watch([...folders], {
      // A file that changes before it has been read is one of those that were there, but for its time.
      ignoreInitial: false,
      alwaysStat: true,
      followSymlinks: true,
      ignored: (path, stats) => {
        if (stats?.isDirectory() === true) inodes.set(path, stats.ino);
        return isIgnoredFolder(path) || (stats?.isFile() === true && !isWatched(path));
      },
    });
    opened.on("ready", () => (isRead = true));
    opened.on("all", (event, path, stats) => {
      if (event === "addDir" || event === "unlinkDir" || !isWatched(path)) return;
      const wasThere = !isRead && event === "add" && stats !== undefined && stats.ctimeMs < sinceMs;
      if (!wasThere) note([path]);
    });
    // Another folder, or link, under a name that is known: that one's files are watched no longer by their names.
    opened.on("raw", (_event, name, details) => {
      const path = join((details as { watchedPath?: string } | undefined)?.watchedPath ?? "", name ?? "");
      const before = inodes.get(path);
      if (before === undefined || opened !== watcher) return;
      const now = inodeOf(path);
      if (now === undefined || now === before) return;
      void opened.close();
      watcher = open();
      note(filesBelow(path, files));
    });
    // A folder that goes while it is read, or more of them than the system watches: what can be watched is.
    opened.on("error", () => undefined);
    return opened;
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

function filesBelow(folder: string, files: WatchedFiles): string[] {
  if (files.isIgnoredFolder(folder)) return [];
  return entriesOf(folder).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path, files);
    return files.isWatched(path) ? [path] : [];
  });
}

/** The folders of packages that are linked into `node_modules`, as those of a workspace are: they are being worked on, too. */
export function linkedPackages(root: string): string[] {
  const modules = join(root, "node_modules");
  const scoped = entriesOf(modules).flatMap(({ name }) => (name.startsWith("@") ? entriesOf(join(modules, name)) : []));
  return [...entriesOf(modules), ...scoped]
    .filter((entry) => entry.isSymbolicLink() && !entry.name.startsWith("."))
    .flatMap((entry) => realPath(join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes(`${sep}node_modules${sep}`) && path !== root && !root.startsWith(path + sep));
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function realPath(path: string): string[] {
  const real = realPathOf(path);
  return real === undefined ? [] : [real];
}

/** Those that do not lie below another one. */
export function outermost(folders: readonly string[]): string[] {
  const distinct = [...new Set(folders)];
  const isBelow = (path: string): boolean => path !== dirname(path) && (distinct.includes(dirname(path)) || isBelow(dirname(path)));
  return distinct.filter((path) => !isBelow(path));
}
