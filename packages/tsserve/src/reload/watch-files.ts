import { readdirSync, watch, type FSWatcher } from "node:fs";
import { join, relative } from "node:path";

const watchedFile = /\.(?:[cm]?[jt]sx?|json|ini|thrift)$|^\.env/;
const ignoredFolder = /^(?:node_modules|\..+|coverage)$/;
/** An editor writes a file in several steps, and a tool several files. */
const settleMs = 50;

/**
 * Calls back with the path of a file that changed below a folder, also of one that is new. Folders
 * named node_modules, and those whose names begin with a dot, are not watched.
 */
export function watchFiles(root: string, onChange: (path: string) => void): () => void {
  const watchers = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | undefined;

  const changed = (path: string): void => {
    clearTimeout(timer);
    timer = setTimeout(() => onChange(relative(root, path)), settleMs);
  };

  const add = (folder: string): void => {
    if (watchers.has(folder)) return;
    try {
      const watcher = watch(folder, (_event, name) => {
        if (name === null) return;
        if (watchedFile.test(name)) changed(join(folder, name));
        else if (!ignoredFolder.test(name)) addBelow(join(folder, name));
      });
      watcher.on("error", () => forget(folder));
      watchers.set(folder, watcher);
    } catch {
      forget(folder);
    }
  };

  const addBelow = (folder: string): void => {
    let entries;
    try {
      entries = readdirSync(folder, { withFileTypes: true });
    } catch {
      return; // Gone again, or no folder at all.
    }
    const isNew = !watchers.has(folder);
    add(folder);
    for (const entry of entries) {
      if (entry.isDirectory() && !ignoredFolder.test(entry.name)) addBelow(join(folder, entry.name));
      else if (isNew && folder !== root && entry.isFile() && watchedFile.test(entry.name) && started) changed(join(folder, entry.name));
    }
  };

  const forget = (folder: string): void => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };

  let started = false;
  addBelow(root);
  started = true;
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers.values()) watcher.close();
  };
}
