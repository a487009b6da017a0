import { ListenError } from "./listen-error.ts";

/** `sun_path` has 108 bytes on Linux and 104 on macOS and the BSDs, the last of them a zero (unix(7)). */
const mostBytes = process.platform === "linux" ? 107 : 103;

/**
 * Refuses a path that is too long for a unix socket. libuv before 1.46 cuts it silently, and listens somewhere else.
 *
 * @param doing what is said of it, such as `listen on`
 * @throws {ListenError}
 */
export function checkUnixPath(path: string, doing = "listen on"): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= mostBytes) return;
  const message = `cannot ${doing} ${path}: the path of a unix socket may have at most ${mostBytes} bytes, and this one has ${bytes}`;
  throw new ListenError(`${message} (ENAMETOOLONG)`, "ENAMETOOLONG");
}
