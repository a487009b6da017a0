import { parseConfig } from "@tsserve/config";
import { commonSettings } from "@tsserve/server";

/** What `--reload` watches. */
export interface WatcherSettings {
  /** Names of folders, and paths of folders, whose changes count for nothing. */
  readonly ignoredDirs: readonly string[];
  /** Endings of files, without a dot, whose changes restart the app beside those of sources. */
  readonly watchedFileEndings: readonly string[];
}

/** @throws {ConfigurationError} */
export function watcherSettings(values: Readonly<Record<string, string>>): WatcherSettings {
  const { watcher } = parseConfig(values, { watcher: commonSettings.watcher });
  return {
    ignoredDirs: (watcher.ignored_dirs ?? []).map((dir) => dir.replace(/\/+$/, "")),
    watchedFileEndings: (watcher.watched_file_endings ?? []).map((ending) => ending.replace(/^\*?\.?/, "").toLowerCase()),
  };
}
