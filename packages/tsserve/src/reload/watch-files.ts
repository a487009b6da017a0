import { watch as watchFolder, type FSWatcher as FolderWatcher } from "node:fs";
import { dirname, join, sep } from "node:path";
import { watch } from "chokidar";
import { realPathOf } from "../real-path-of.ts";
import { entriesOf, fileState, filesBelow, statsOf } from "./files-below.ts";
import type { WatchedFiles } from "./watched-files.ts";

/** An editor writes a file in several steps, and a tool several files. */
const settleMs = 50;

/** A folder that has come under a known name while it was read has it read anew, so often in a row. */
const mostReadings = 3;

/**
 * Calls back with the paths that changed below some folders: files that are new, written, renamed into place or gone,
 * also behind links. What is there already is told of only where it changes from now on, also while the folders are read for
 * the first time.
 *
 * @returns ends it
 */
export function watchFiles(folders: readonly string[], files: WatchedFiles, onChange: (paths: readonly string[]) => void): () => void {
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const note = (path: string): void => {
    changed.add(path);
    clearTimeout(timer);
    timer = setTimeout(() => {
      onChange([...changed]);
      changed.clear();
    }, settleMs);
  };
  let { states } = filesBelow(folders, files);
  const isAsBefore = (path: string): boolean => {
    const stats = statsOf(path);
    const state = stats && fileState(stats);
    return state !== undefined && state === states.get(path);
  };
  let close = open(mostReadings);
  return () => {
    clearTimeout(timer);
    close();
  };

  function open(readings: number): () => void {
    const inodes = new Map<string, number>();
    const guards = new Map<string, FolderWatcher>();
    const { isIgnoredFolder, isWatched } = files;
    let isRead = false;
    let isOver = false;
    const watcher = watch([...folders], {
      // A file that changes before it has been read is one of those that were there, but for its state.
      ignoreInitial: false,
      followSymlinks: true,
      ignored: (path, stats) => {
        if (stats?.isDirectory() === true) inodes.set(path, stats.ino);
        return isIgnoredFolder(path) || (stats?.isFile() === true && !isWatched(path));
      },
    });
    const end = (): void => {
      isOver = true;
      for (const guard of guards.values()) guard.close();
      void watcher.close();
    };
    const reopen = (left: number): void => {
      end();
      close = open(left);
    };
    // Each file and folder is watched by now, but each was read before it was watched: what changed in between nobody has told of.
    watcher.on("ready", () => {
      isRead = true;
      const found = filesBelow(folders, files);
      for (const path of new Set([...states.keys(), ...found.states.keys()]))
        if (found.states.get(path) === undefined || found.states.get(path) !== states.get(path)) note(path);
      ({ states } = found);
      const isOther = ([path, inode]: [string, number]): boolean => inodes.has(path) && inodes.get(path) !== inode;
      if (readings > 1 && [...found.folders].some(isOther)) return reopen(readings - 1);
      for (const path of found.folders.keys()) if (!inodes.has(path)) watcher.add(path);
    });
    watcher.on("all", (event, path) => {
      if (event === "addDir" && isRead) watchOver(path);
      if (event === "unlinkDir") watchOverNoMore(path);
      if (event === "addDir" || event === "unlinkDir" || !isWatched(path)) return;
      if (isRead || event !== "add" || !isAsBefore(path)) note(path);
    });
    watcher.on("raw", (_event, name, details) => {
      const folder = (details as { watchedPath?: string } | undefined)?.watchedPath ?? "";
      watchOverNoMore(folder);
      const path = join(folder, name ?? "");
      const before = inodes.get(path);
      if (before === undefined || isOver) return;
      const now = statsOf(path)?.ino;
      // Another folder, or link, under a name that is known: that one's files are watched no longer by their names.
      if (now !== undefined && now !== before) reopen(mostReadings);
    });
    // A folder that goes while it is read, or more of them than the system watches: what can be watched is.
    watcher.on("error", () => undefined);
    return end;

    /** Chokidar reads a new folder, and watches it then: what comes into it in between would be missed. So it is watched here until chokidar is heard to do so. */
    function watchOver(folder: string): void {
      watchOverNoMore(folder);
      try {
        const guarding = watchFolder(folder, (_event, name) => {
          const path = join(folder, name ?? "");
          if (isWatched(path)) note(path);
          if (!inodes.has(path) && !isIgnoredFolder(path) && statsOf(path)?.isDirectory() === true) watcher.add(path);
        });
        guarding.on("error", () => undefined);
        guards.set(folder, guarding);
      } catch {
        // It has gone already, or the system watches no more of them.
      }
    }

    function watchOverNoMore(folder: string): void {
      guards.get(folder)?.close();
      guards.delete(folder);
    }
  }
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
