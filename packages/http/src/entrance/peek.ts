import type { Socket } from "node:net";
import { judgeAfter, systemClock } from "@tsserve/server";

/** How looking at the first bytes of a connection ended, where it did not tell anything. */
export type PeekFailure = "timeout" | "closed";

export interface Peek<T> {
  /** How long the bytes may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Looks at all bytes so far; `undefined` asks for more. What it gives says how many of them are taken away. */
  look(bytes: Buffer): { readonly found: T; readonly consumed: number } | undefined;
  /** The socket is paused, and what was not consumed comes again to whoever reads it. */
  onFound(found: T): void;
  /** Nobody else looks after the socket: it has to be ended. */
  onFailure(failure: PeekFailure): void;
}

/** Looks at what a connection begins with, before anything is told that there is one. */
export function peek<T>(socket: Socket, { timeoutMs, look, onFound, onFailure }: Peek<T>): void {
  let bytes: Buffer = Buffer.alloc(0);
  // What came while the loop was busy is read before anybody is blamed.
  const cancel = judgeAfter(systemClock, timeoutMs, () => finish(() => onFailure("timeout")));

  const onReadable = (): void => {
    let chunk: Buffer | null;
    while ((chunk = socket.read() as Buffer | null) !== null) {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const result = look(bytes);
      if (result === undefined) continue;
      finish(() => {
        const rest = bytes.subarray(result.consumed);
        if (rest.length > 0) socket.unshift(rest);
        onFound(result.found);
      });
      return;
    }
  };
  const onGone = (): void => finish(() => onFailure("closed"));
  const finish = (then: () => void): void => {
    cancel();
    socket.off("readable", onReadable);
    socket.off("end", onGone);
    socket.off("close", onGone);
    socket.off("error", ignore);
    then();
  };

  socket.on("readable", onReadable);
  socket.on("end", onGone);
  socket.on("close", onGone);
  // What is wrong with it is told by "close", which follows.
  socket.on("error", ignore);
}

function ignore(): void {}
