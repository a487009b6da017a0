import { TsserveError } from "@tsserve/config";

/** Node's `process.permission`: there where its permission model is switched on. */
export interface Permission {
  has(scope: string): boolean;
}

/**
 * Where Node's permission model (`--permission`) forbids child processes, what stands on them can't be had.
 *
 * @param what the option that needs them
 * @throws {TsserveError} where they are forbidden
 */
export function refuseWithoutProcesses(what: string, permission: Permission | undefined): void {
  if (permission === undefined || permission.has("child")) return;
  throw new TsserveError(
    "ERR_TSSERVE_USAGE",
    `${what} starts processes, which Node's --permission forbids here; expected --allow-child-process beside it, or to be started without ${what}`,
  );
}

/** Of this process. */
export function ownPermission(): Permission | undefined {
  return (process as { readonly permission?: Permission }).permission;
}
