import type { Socket } from "node:net";
import type { Admitted } from "./admission.ts";
import type { Clock } from "./clock.ts";

/** What is looked at of a connection that is being served. */
export interface ScannedConnection {
  readonly socket: Socket;
  /** Whether nothing is in progress on it. */
  readonly isIdle: boolean;
  /** Since when, on the clock. */
  readonly idleSince: number;
}

/** For how long what a look at all connections found is good enough. */
const scanAgainMs = 50;

/** For a server that does not keep a list of its idle connections: it is made when one is wanted, for the next arrivals, too. */
export function scanForIdle(served: ReadonlySet<ScannedConnection>, clock: Clock): Admitted {
  let found: ScannedConnection[] = [];
  let scannedAt = Number.NEGATIVE_INFINITY;
  return {
    count: () => served.size,
    takeIdle: (then) => {
      const now = clock.now();
      if (now - scannedAt >= scanAgainMs) {
        scannedAt = now;
        // The longest idle last, where taking it costs nothing.
        found = [...served].filter((connection) => connection.isIdle && connection.idleSince <= then);
        found.sort((a, b) => b.idleSince - a.idleSince);
      }
      for (let next = found.pop(); next !== undefined; next = found.pop()) {
        if (next.isIdle && !next.socket.destroyed && next.idleSince <= then) return next.socket;
      }
      return undefined;
    },
  };
}
