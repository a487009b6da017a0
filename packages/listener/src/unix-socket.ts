import { lstat, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { ListenError } from "./listen-error.ts";

const probeTimeoutMs = 1000;

/**
 * Makes way for a new unix socket: removes the file that a dead process left behind.
 *
 * @throws {ListenError} when a live process listens there, or the file is something else
 */
export async function clearStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new ListenError(`cannot listen on ${path}: the file exists and is not a socket`, "EEXIST");
  if (await isAlive(path)) throw new ListenError(`cannot listen on ${path}: another process is listening there (EADDRINUSE)`, "EADDRINUSE");
  await unlink(path).catch(() => undefined);
}

/** Nobody accepts on a dead socket: the kernel refuses. Anything else, also silence, counts as alive. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const answer = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(probeTimeoutMs, () => answer(true));
    socket.once("connect", () => answer(true));
    socket.once("error", (error: NodeJS.ErrnoException) => answer(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"));
  });
}
