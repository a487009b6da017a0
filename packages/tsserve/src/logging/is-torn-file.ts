import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

const newline = 10;

/**
 * Whether what a descriptor is written to is a file whose last line has no end: a disk that is full takes a part of a line, and whoever
 * wrote it may be gone.
 *
 * @returns `undefined` where that can't be told, as of a pipe or a terminal
 */
export function isTornFile(descriptor: number): boolean | undefined {
  let fd: number | undefined;
  try {
    const written = fstatSync(descriptor);
    if (!written.isFile()) return undefined;
    if (written.size === 0) return false;
    // What it is written by can't be read from, as a rule.
    fd = openSync(`/proc/self/fd/${descriptor}`, constants.O_RDONLY | constants.O_NONBLOCK);
    const last = Buffer.alloc(1);
    return readSync(fd, last, 0, 1, written.size - 1) === 1 ? last[0] !== newline : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
