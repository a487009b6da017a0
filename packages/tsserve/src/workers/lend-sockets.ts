import type { ChildProcess, SendHandle } from "node:child_process";
import type { Endpoint } from "@tsserve/config";
import { handleListener, type SlotSockets } from "@tsserve/listener";
import type { MasterSockets } from "@tsserve/master";
import type { Server } from "@tsserve/server";

const lendType = "tsserve:lend";
const takeBackType = "tsserve:take-back";

interface Lend {
  readonly type: typeof lendType;
  readonly set: number;
  readonly endpoint: Endpoint;
}
interface TakeBack {
  readonly type: typeof takeBackType;
  readonly set: number;
}

/** The master's side: sockets travel over the channel that it has to each of its workers. */
export function lendable(sockets: SlotSockets): MasterSockets {
  // A worker that has just died needs nothing any more.
  const send = (child: ChildProcess, message: Lend | TakeBack, handle?: unknown): void => {
    if (child.connected) child.send(message, handle as SendHandle | undefined, {}, () => undefined);
  };
  return {
    get sets() {
      return sockets.sets;
    },
    setOf: (slot) => sockets.setOf(slot),
    lend: (child, set) => {
      for (const { handle, endpoint } of sockets.of(set)) {
        // A unix socket is the same in all sets.
        if (!("path" in endpoint)) send(child, { type: lendType, set, endpoint }, handle);
      }
    },
    takeBack: (child, set) => send(child, { type: takeBackType, set }),
  };
}

/**
 * The worker's side: accepts on what the master lends, until that is taken back or the worker stops. Servers that can't
 * accept in more places leave it, and what waits there waits for its own worker.
 *
 * @returns ends it, as the server is about to stop accepting
 */
export function borrowSockets(server: Server): () => void {
  const borrowed = new Map<number, Promise<() => void>[]>();
  const leave = (set: number): void => {
    for (const accepting of borrowed.get(set) ?? []) void accepting.then((end) => end());
    borrowed.delete(set);
  };
  const onMessage = (message: unknown, handle: unknown): void => {
    if (isTakeBack(message)) leave(message.set);
    else if (isLend(message) && isHandle(handle)) {
      const accepting = server.accept?.(handleListener(handle, message.endpoint)).catch(() => () => undefined);
      if (accepting === undefined) handle.close();
      else borrowed.set(message.set, [...(borrowed.get(message.set) ?? []), accepting]);
    }
  };
  process.on("message", onMessage);
  process.channel?.unref();
  return () => {
    process.off("message", onMessage);
    for (const set of borrowed.keys()) leave(set);
  };
}

function isLend(message: unknown): message is Lend {
  return (message as { type?: unknown } | null)?.type === lendType;
}

function isTakeBack(message: unknown): message is TakeBack {
  return (message as { type?: unknown } | null)?.type === takeBackType;
}

function isHandle(handle: unknown): handle is { close(): void } {
  return typeof handle === "object" && handle !== null && "close" in handle;
}
