import { basename, isAbsolute, relative, resolve, sep } from "node:path";
import type { WatcherSettings } from "./watcher-settings.ts";

/** What an app is made of: what the app itself writes of these may be its next source. */
const source = /\.(?:[cm]?[jt]sx?|ini|thrift)$|^\.env/i;
/** What an app is configured by, and what it may just as well keep its data in. */
const data = /\.json$/i;
const ignoredName = /^(?:node_modules|coverage|\..+)$/;

/** Which changes below a folder count, by names alone. */
export interface WatchedFiles {
  /** Whether nothing below a path is looked at. */
  isIgnoredFolder(path: string): boolean;
  isWatched(path: string): boolean;
  isSource(path: string): boolean;
}

/** @param iniFolder where paths in the settings begin */
export function watchedFiles(root: string, iniFolder: string, { ignoredDirs, watchedFileEndings }: WatcherSettings): WatchedFiles {
  const names = new Set(ignoredDirs.filter((dir) => !dir.includes("/")));
  const paths = ignoredDirs.map((dir) => resolve(iniFolder, dir));
  const own = (path: string): boolean => watchedFileEndings.some((ending) => path.toLowerCase().endsWith(`.${ending}`));
  const isIgnoredFolder = (path: string): boolean => {
    if (paths.some((each) => path === each || path.startsWith(each + sep))) return true;
    const below = relative(root, path);
    // The folder that is watched may itself lie below a name that begins with a dot.
    const parts = below === "" || below.startsWith("..") || isAbsolute(below) ? [] : below.split(sep);
    return parts.some((part) => names.has(part) || (ignoredName.test(part) && !source.test(part)));
  };
  return {
    isIgnoredFolder,
    isWatched: (path) => !isIgnoredFolder(path) && (source.test(basename(path)) || data.test(path) || own(path)),
    isSource: (path) => source.test(basename(path)) || own(path),
  };
}
