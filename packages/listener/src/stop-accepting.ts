import { Server } from "node:net";

/**
 * Closes the listening socket and nothing else. `http.Server#close` would also close idle
 * connections, on which a request may be on its way, and end the checks of header and request
 * timeouts, without which a silent connection is never closed.
 */
export function stopAccepting(server: Server): void {
  Server.prototype.close.call(server);
}
