import { closeSync, constants, fstatSync, openSync, readdirSync, readSync, renameSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const mostBytes = 64 * 1024 * 1024;
const mostFiles = 32;

/** A file whose bytes are to be run as code, and when it was written. */
export interface PackFile {
  readonly bytes: Buffer;
  readonly writtenAtMs: number;
}

/**
 * Reads a file that nobody but this user can have written.
 *
 * @returns `undefined` where there is none, or it is somebody else's
 */
export function readPackFile(path: string, uid: number | undefined): PackFile | undefined {
  let fd: number | undefined;
  try {
    // A pipe in its place would have a start wait.
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const found = fstatSync(fd);
    if (!found.isFile() || found.uid !== uid || (found.mode & 0o022) !== 0 || found.size > mostBytes) return undefined;
    const bytes = Buffer.allocUnsafeSlow(found.size);
    const read = readSync(fd, bytes);
    return { bytes: bytes.subarray(0, read), writtenAtMs: found.mtimeMs };
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** When the file was written last; 0 where there is none, or none that may be looked at: an app may give up being root while it starts. */
export function writtenAtMs(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

/**
 * Writes a file so that whoever reads it finds the old one or the new one, whole; then removes the oldest beside it, of which there
 * may be as many as there were folders that something was started in.
 *
 * @throws {Error} where it can't be written, as on a full disk; nothing is left of it then
 */
export function writePackFile(path: string, bytes: Buffer, pid: number): void {
  const draft = `${path}.${pid}`;
  try {
    writeFileSync(draft, bytes, { mode: 0o600, flag: "wx" });
    renameSync(draft, path);
  } catch (error) {
    remove(draft);
    throw error;
  }
  const folder = dirname(path);
  const aged = readdirSync(folder).map((name) => ({ path: join(folder, name), at: writtenAtMs(join(folder, name)) }));
  for (const { path: old } of aged.sort((a, b) => b.at - a.at).slice(mostFiles)) remove(old);
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is not there, or it can't be helped.
  }
}
