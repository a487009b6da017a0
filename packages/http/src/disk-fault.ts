/** What a disk says that has no room left, or is broken. */
const ofDisks: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EIO"]);

/**
 * Whether it is the disk's fault that a file can't be opened to be written to, and may pass, and not the fault of who named the file: one
 * that is there on a file system that is read-only was written once.
 */
export function isDiskFault({ code = "" }: NodeJS.ErrnoException, isThere: boolean): boolean {
  return ofDisks.has(code) || (code === "EROFS" && isThere);
}
