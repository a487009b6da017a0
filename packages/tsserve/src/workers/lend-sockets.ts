import { handleListener, type SlotSockets } from "@tsserve/listener";
import type { MasterSockets } from "@tsserve/master";
import type { Server } from "@tsserve/server";
import type { MasterChannel } from "./master-channel.ts";

/** The master's side: sockets travel over the channel that it has to each of its workers. */
export function lendable(sockets: SlotSockets): MasterSockets {
  return {
    get sets() {
      return sockets.sets;
    },
    setOf: (slot) => sockets.setOf(slot),
    lend: (process, set) => {
      for (const { handle, endpoint } of sockets.of(set)) {
        // A unix socket is the same in all sets.
        if (!("path" in endpoint)) process.send({ type: "tsserve:lend", set, endpoint }, handle);
      }
    },
    takeBack: (process, set) => process.send({ type: "tsserve:take-back", set }),
    giveBack: (process, set) => {
      for (const { handle, endpoint } of sockets.of(set)) process.send({ type: "tsserve:lend", set, endpoint }, handle);
    },
  };
}

/**
 * The worker's side: accepts on what the master lends, until that is taken back or the worker stops. Servers that can't
 * accept in more places leave it, and what waits there waits for its own worker.
 *
 * @returns ends it, as the server is about to stop accepting
 */
export function borrowSockets(server: Server, master: MasterChannel): () => void {
  const borrowed = new Map<number, Promise<() => void>[]>();
  let hasEnded = false;
  const leave = (set: number): void => {
    for (const accepting of borrowed.get(set) ?? []) void accepting.then((end) => end());
    borrowed.delete(set);
  };
  master.on("tsserve:take-back", ({ set }) => leave(set));
  master.on("tsserve:lend", ({ set, endpoint }, handle) => {
    if (!isHandle(handle)) return;
    const accepting = hasEnded ? undefined : server.accept?.(handleListener(handle, endpoint)).catch(() => () => undefined);
    if (accepting === undefined) handle.close();
    else borrowed.set(set, [...(borrowed.get(set) ?? []), accepting]);
  });
  return () => {
    hasEnded = true;
    for (const set of borrowed.keys()) leave(set);
  };
}

function isHandle(handle: object | undefined): handle is { close(): void } {
  return handle !== undefined && "close" in handle;
}
