import { Server } from "node:net";
import { closeWithEmptyQueue } from "./empty-queue.ts";
import type { Listener } from "./listener.ts";

/**
 * Closes the listening socket and nothing else. `http.Server#close` would also close idle
 * connections, on which a request may be on its way, and end the checks of header and request
 * timeouts, without which a silent connection is never closed.
 */
export function stopAccepting(server: Server): void {
  Server.prototype.close.call(server);
  // "close" comes when the last connection has ended; the file of a unix socket goes now.
  server.emit(acceptingEnded);
}

/**
 * Stops accepting for good on all acceptors of a server, the first of which listen on `listeners`. Where a socket ends with this process,
 * clients that the kernel has connected already are served first; where a master or a successor has it too, they wait for that one.
 */
export async function endAccepting(acceptors: readonly Server[], listeners: readonly Listener[]): Promise<void> {
  const end = async (acceptor: Server, index: number): Promise<void> => {
    if (!acceptor.listening) return;
    if (listeners[index]?.isLast() === true) await closeWithEmptyQueue(acceptor);
    stopAccepting(acceptor);
  };
  await Promise.all(acceptors.map(end));
}

/**
 * Leaves the listening socket while the server goes on: it thinks that it listens, so that nobody is told of an end, and is
 * closed by `stopAccepting` one day. Whoever else has the socket accepts in its place. `net.Server#close` would have the server
 * emit "close" with its last connection, which ends what libraries have attached to it, such as socket.io
 * (`_emitCloseIfDrained` in github.com/nodejs/node/blob/main/lib/net.js goes by `_handle`).
 */
export function leaveSocket(server: Server): void {
  const address = server.address();
  server.address = () => address;
  (server as Server & { readonly _handle: { close(): void } | null })._handle?.close();
}

/** What a server emits when it accepts no longer. */
export const acceptingEnded = "tsserve:accepting-ended";

/**
 * Makes `acceptor` listen as one of `acceptors`, until the function is called that this gives.
 *
 * @throws {ListenError} when it can't
 */
export async function acceptAlso(listener: Listener, acceptor: Server, acceptors: Server[]): Promise<() => void> {
  acceptors.push(acceptor);
  const end = (): void => {
    const index = acceptors.indexOf(acceptor);
    if (index !== -1) acceptors.splice(index, 1);
    if (acceptor.listening) stopAccepting(acceptor);
  };
  try {
    await listener.listen(acceptor);
    return end;
  } catch (error) {
    end();
    throw error;
  }
}
