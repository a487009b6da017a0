import { Server } from "node:net";
import { callerPlace } from "@tsserve/config";

/**
 * Tells of each place in the app's own code that listens while the app is loaded and made: such a port has no limits, no drain and no
 * metrics, and with workers only one of them gets it.
 *
 * @param tell is called with the place, `/srv/app/app.js:12`, and what was listened on
 * @returns ends the watch
 */
export function watchListen(tell: (place: string, where: string) => void): () => void {
  const own = Object.getOwnPropertyDescriptor(Server.prototype, "listen");
  const { listen } = Server.prototype;
  Server.prototype.listen = function listenAndTell(this: Server, ...args: unknown[]): Server {
    tell(callerPlace(), whereOf(args[0]));
    return (listen as (...all: unknown[]) => Server).apply(this, args);
  } as typeof listen;
  return () => {
    if (own !== undefined) Object.defineProperty(Server.prototype, "listen", own);
  };
}

function whereOf(first: unknown): string {
  if (typeof first === "number" || typeof first === "string") return String(first);
  const { port, path } = (typeof first === "object" && first !== null ? first : {}) as { port?: unknown; path?: unknown };
  return typeof path === "string" ? path : typeof port === "number" || typeof port === "string" ? String(port) : "a free port";
}
