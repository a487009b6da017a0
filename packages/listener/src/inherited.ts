import { fstatSync } from "node:fs";
import type { Endpoint } from "@tsserve/config";
import { ListenError } from "./listen-error.ts";
import { backlog, makeListener, type Listener } from "./listener.ts";

/**
 * The listener of a descriptor that was bound elsewhere.
 *
 * @param source where the number came from, for messages, such as `EINHORN_FD_0`
 * @param isLast whether the socket ends with this process (`Listener.isLast`); default: whoever bound it has it still
 * @throws {ListenError} when the descriptor is not an open socket
 */
export function inheritedListener(fd: number, source: string, isLast: () => boolean = () => false): Listener {
  checkSocket(fd, source);
  return makeListener(describe(fd), true, () => Promise.resolve({ fd, backlog }), isLast);
}

/** The listener of a socket's handle, as a process gets it from its parent's `ChildProcess#send`. */
export function handleListener(handle: object, endpoint: Endpoint): Listener {
  return makeListener(endpoint, true, () => Promise.resolve({ _handle: handle, backlog }));
}

function describe(fd: number): Endpoint {
  return { path: `fd://${fd}` };
}

function checkSocket(fd: number, source: string): void {
  const probably = "the master probably closed it, or a shell between the master and this process did";
  let isSocket: boolean;
  try {
    isSocket = fstatSync(fd).isSocket();
  } catch {
    throw new ListenError(`${source} names descriptor ${fd}, which is not open; ${probably}`, "EBADF");
  }
  if (!isSocket) throw new ListenError(`${source} names descriptor ${fd}, which is no socket; ${probably}`, "ENOTSOCK");
}
