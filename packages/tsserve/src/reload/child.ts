import type { Host } from "../host.ts";

/** Set for the process that serves under `--reload`. */
export const childVariable = "TSSERVE_RELOAD_CHILD";

export function isReloadChild(host: Host): boolean {
  return host.env[childVariable] === "1" && process.send !== undefined;
}

/** What a child says when its app is built, and what it waits for before it takes the port. */
export type ReloadMessage = { readonly type: "built" } | { readonly type: "serve" };

/** Tells the supervisor that the app is built, and waits until the one before has left. */
export function waitForTurn(host: Host): Promise<void> {
  return new Promise((resolve) => {
    process.once("message", () => resolve());
    process.once("disconnect", () => host.causes.add({ kind: "orphaned", masterPid: host.ppid }));
    const message: ReloadMessage = { type: "built" };
    process.send?.(message);
  });
}
