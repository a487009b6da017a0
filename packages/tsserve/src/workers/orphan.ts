import type { Host } from "../host.ts";
import { masterVariable } from "./own-worker.ts";

/**
 * The master's pid, when this process was started as its worker and the master has gone since: it must not take itself for
 * a master. The children that a worker has have no channel to the master; its own worker has one, open or not.
 */
export function lostMaster({ env, ppid }: Pick<Host, "env" | "ppid">, hasChannel: boolean): number | undefined {
  const masterPid = Number(env[masterVariable]);
  if (!hasChannel || !Number.isInteger(masterPid) || masterPid <= 0 || masterPid === ppid) return undefined;
  try {
    process.kill(masterPid, 0);
    return undefined;
  } catch {
    return masterPid;
  }
}
