import type { ListenOptions, Server } from "node:net";
import { formatEndpoint, type Endpoint } from "@tsserve/config";
import { listenError } from "./listen-error.ts";

/** How many connections the kernel keeps waiting. It cuts this to its own limit (Linux: `net.core.somaxconn`). */
export const backlog = 1024;

/** One place where connections arrive: a socket that will be bound here, or one inherited from a master. */
export interface Listener {
  readonly endpoint: Endpoint;
  /** Whether the socket was bound by a master, and outlives this process. */
  readonly inherited: boolean;
  /** Whether nobody accepts on the socket once this process does not any more: who waits in its queue is served by this one, or reset. */
  isLast(): boolean;
  /**
   * What to hand to `net.Server#listen`, for servers that insist on calling it themselves. For a unix
   * socket, a file left by a dead process is removed first.
   *
   * @throws {ListenError} when the place is taken
   */
  listenOptions(): Promise<ListenOptions>;
  /**
   * Begins to accept connections on `server`.
   *
   * @throws {ListenError} when the address is taken, forbidden or not of this machine
   */
  listen(server: Server): Promise<void>;
}

/** Builds a listener from what tells one kind from another. */
export function makeListener(
  endpoint: Endpoint,
  inherited: boolean,
  listenOptions: () => Promise<ListenOptions>,
  isLast: () => boolean = () => !inherited,
): Listener {
  return {
    endpoint,
    inherited,
    isLast,
    listenOptions,
    listen: async (server) => {
      const options = await listenOptions();
      await new Promise<void>((resolve, reject) => {
        const fail = (error: Error): void => reject(listenError(error, formatEndpoint(endpoint)));
        server.once("error", fail);
        server.listen(options, () => {
          server.off("error", fail);
          resolve();
        });
      });
    },
  };
}
