import type { Server } from "node:net";

/** What is used of Node's handle of a listening socket: https://github.com/nodejs/node/blob/main/lib/net.js `onconnection`. */
interface AcceptingHandle {
  onconnection: (this: unknown, ...values: unknown[]) => void;
  listen(backlog: number): number;
  close(): void;
}

/** How long it may take until nobody waits who came before: a server that is slower than its clients come is closed as it is. */
const longestMs = 250;
/** How long one more connection is waited for. Where none comes in this time, none is likely to come in the instant of the close. */
const lastConnectionMs = 10;

/**
 * Closes the handle of a listening socket that nobody else has, when no connection waits in the kernel's queue. The kernel resets those
 * that wait, although their clients have been told that they are connected, and may have sent a request.
 *
 * The queue is made as short as it can be, which is one connection (listen(2); clients beyond it get no answer, and try again). When none
 * is left that came before, the socket is closed in the moment in which one is accepted: then the queue is empty, whatever the load.
 * For `net.Server` it still listens: `stopAccepting` comes afterwards.
 */
export function closeWithEmptyQueue(server: Server): Promise<void> {
  const handle = (server as Server & { readonly _handle: AcceptingHandle | null })._handle;
  if (handle === null || handle.listen(0) !== 0) return Promise.resolve();
  const take = handle.onconnection;
  const since = performance.now();
  return new Promise((resolve) => {
    let hasCome = true;
    let lastChance: NodeJS.Timeout | undefined;
    const close = (): void => {
      clearTimeout(lastChance);
      handle.close();
      resolve();
    };
    handle.onconnection = function (...values) {
      hasCome = true;
      if (lastChance !== undefined) close();
      take.apply(this, values);
    };
    // libuv accepts one or all of those that wait in a turn of the event loop: a turn without any says that there is none.
    const lookAtTurn = (): void => {
      if (hasCome && performance.now() - since < longestMs) {
        hasCome = false;
        setImmediate(lookAtTurn);
      } else lastChance = setTimeout(close, lastConnectionMs);
    };
    setImmediate(lookAtTurn);
  });
}
