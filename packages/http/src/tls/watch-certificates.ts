import { statSync, watch, type FSWatcher } from "node:fs";
import { dirname } from "node:path";
import type { TlsSettings } from "./tls-settings.ts";

/** The files of a renewed certificate are written one after the other. */
const settleMs = 200;
/** Where the kernel tells nothing (network file systems, a folder that was replaced as a whole), the files are asked. */
const askMs = 10_000;

/** The files that the settings name. */
export function certificateFiles({ pair, byHost, clientAuthorities }: TlsSettings): string[] {
  const pairs = [pair, ...byHost.values()].flatMap(({ certificate, key }) => [certificate, key]);
  return clientAuthorities === undefined ? pairs : [...pairs, clientAuthorities];
}

/**
 * Calls back when one of the files may have changed. Their folders are watched rather than they: Kubernetes exchanges a link
 * beside them, certbot renames.
 *
 * @returns ends it
 */
export function watchCertificates(files: readonly string[], onChange: () => void): () => void {
  const watchers = [...new Set(files.map((file) => dirname(file)))].map((folder) => watching(folder, () => later()));
  let settling: NodeJS.Timeout | undefined;
  const later = (): void => {
    clearTimeout(settling);
    settling = setTimeout(() => {
      seen = stateOf(files);
      onChange();
    }, settleMs).unref();
  };
  let seen = stateOf(files);
  const asking = setInterval(() => {
    if (stateOf(files) !== seen) later();
  }, askMs).unref();
  return () => {
    clearTimeout(settling);
    clearInterval(asking);
    for (const watcher of watchers) watcher?.close();
  };
}

function watching(folder: string, onEvent: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, onEvent);
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    // The files are asked all the same.
    return undefined;
  }
}

/** What can't be asked (no right to the folder, a link to itself) is a state, too: who reads the file is told why. */
function stateOf(files: readonly string[]): string {
  return files
    .map((file) => {
      try {
        const { ino, mtimeMs, size } = statSync(file);
        return `${ino} ${mtimeMs} ${size}`;
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? "-";
      }
    })
    .join(" ");
}
