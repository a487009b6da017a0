import type { Host } from "../host.ts";
import type { MasterChannel } from "./master-channel.ts";

/** Set for the workers of our own master, to its pid: they have a channel to it. */
export const masterVariable = "TSSERVE_MASTER_PID";

/** Set for the workers of our own master, to their generation: how many upgrades came before them. */
export const generationVariable = "TSSERVE_GENERATION";

/** Whether this process is a worker of our own master, rather than of Einhorn. A worker's own children are not. */
export function isOwnWorker({ env, ppid }: Pick<Host, "env" | "ppid">): boolean {
  return env[masterVariable] === String(ppid);
}

/** The channel to our own master; `undefined` where there is no such master. Made once, before anything else is. */
export async function openMasterChannel(host: Host): Promise<MasterChannel | undefined> {
  if (!isOwnWorker(host)) return undefined;
  const { MasterChannel: Channel } = await import("./master-channel.ts");
  return new Channel(host.parent);
}
