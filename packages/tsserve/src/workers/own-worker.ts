import type { Host } from "../host.ts";
import type { MasterChannel } from "./master-channel.ts";

/** Set for the workers of our own master, to its pid: they have a channel to it. */
export const masterVariable = "TSSERVE_MASTER_PID";

/** Set for the workers of our own master, to their generation: how many upgrades came before them. */
export const generationVariable = "TSSERVE_GENERATION";
/** Set for them as well: the descriptor of the line between the master and the worker's watchdog thread. */
export const lineVariable = "TSSERVE_LINE_FD";

/** Set for them where the listening sockets are the master's own: when the whole fleet stops, they end with its workers. */
export const ownSocketsVariable = "TSSERVE_OWN_SOCKETS";

/** Where a single process whose event loop is stuck is asked, while somebody has signalled that they come. */
export function stuckFolder(controlSocket: string): string {
  return `${controlSocket}.stuck`;
}

/** Whether this process is a worker of our own master, rather than of Einhorn. A worker's own children are not. */
export function isOwnWorker({ env, ppid }: Pick<Host, "env" | "ppid">): boolean {
  return env[masterVariable] === String(ppid);
}

/** Whether the listening sockets that this worker was given by its master end with the fleet. */
export function isGivenOwnSockets(host: Pick<Host, "env" | "ppid">): boolean {
  return isOwnWorker(host) && host.env[ownSocketsVariable] === "true";
}

/** The channel to our own master; `undefined` where there is no such master. Made once, before anything else is. */
export async function openMasterChannel(host: Host): Promise<MasterChannel | undefined> {
  if (!isOwnWorker(host)) return undefined;
  const { MasterChannel: Channel } = await import("./master-channel.ts");
  return new Channel(host.parent);
}
