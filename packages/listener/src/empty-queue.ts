import type { Server } from "node:net";

/** What is used of Node's handle of a listening socket: https://github.com/nodejs/node/blob/main/lib/net.js `onconnection`. */
interface AcceptingHandle {
  onconnection: (this: unknown, ...values: unknown[]) => void;
  listen(backlog: number): number;
  close(): void;
}

/**
 * How long the process may work until nobody waits who came before: a server that is slower than its clients come is closed as it is.
 * Time of the processor, for a machine that has little of it to give takes longer to give it.
 */
const longestCpuMs = 250;
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
  const since = process.cpuUsage();
  const hasTime = (): boolean => {
    const { user, system } = process.cpuUsage(since);
    return (user + system) / 1000 < longestCpuMs;
  };
  return new Promise((resolve) => {
    let hasCome = true;
    let isLast = false;
    const close = (): void => {
      handle.close();
      resolve();
    };
    handle.onconnection = function (...values) {
      hasCome = true;
      if (isLast) close();
      take.apply(this, values);
    };
    // libuv accepts one or all of those that wait in a turn of the event loop: a turn without any says that there is none.
    const lookAtTurn = (): void => {
      if (hasCome && hasTime()) {
        hasCome = false;
        setImmediate(lookAtTurn);
        return;
      }
      isLast = true;
      // Timers run before connections are accepted: one that is late must not close upon those that came meanwhile.
      setTimeout(() => setImmediate(close), lastConnectionMs);
    };
    setImmediate(lookAtTurn);
  });
}
