import type { Server } from "node:net";
import { listenError } from "./listen-error.ts";
import { acceptingEnded } from "./stop-accepting.ts";
import { checkUnixPath } from "./unix-path.ts";
import { nameBeside, placeSocket, type PlacedSocket, type UnixSocketAccess } from "./unix-socket.ts";

/**
 * Makes a server listen at the path of a unix socket, so that of two that try at once one has it, and nobody finds a
 * file there that refuses or has other rights. The file goes when the server closes, if it is still its own.
 *
 * @throws {ListenError} when a live process listens there, the file is something else, or the path is too long
 */
export async function listenAtPath(
  server: Server,
  path: string,
  { backlog, ...access }: UnixSocketAccess & { readonly backlog?: number },
): Promise<PlacedSocket> {
  checkUnixPath(path);
  const temporary = nameBeside(path);
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => reject(listenError(error, path));
    server.once("error", fail);
    // Not even the user's own group, until it has its name and its rights.
    const mask = access.mode === undefined ? undefined : process.umask(0o177);
    server.listen({ path: temporary, ...(backlog === undefined ? {} : { backlog }) }, () => {
      server.off("error", fail);
      resolve();
    });
    if (mask !== undefined) process.umask(mask);
  });
  try {
    const placed = await placeSocket(temporary, path, access);
    // Node names it as it was bound.
    server.address = () => path;
    server.once("close", placed.remove);
    server.once(acceptingEnded, placed.remove);
    return placed;
  } catch (error) {
    server.close();
    throw error;
  }
}
