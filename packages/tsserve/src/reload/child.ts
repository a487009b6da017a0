import type { Host } from "../host.ts";

/** Set for the process that serves under `--reload`. */
export const childVariable = "TSSERVE_RELOAD_CHILD";

export function isReloadChild(host: Host): boolean {
  return host.env[childVariable] === "1" && process.send !== undefined;
}

/** What a child says when its app is built, and what it waits for before it takes the port. */
export type ReloadMessage = { readonly type: "built" } | { readonly type: "serve" };

/** Tells the supervisor that the app is built, and waits until the one before has left. */
export function waitForTurn(): Promise<void> {
  return new Promise((resolve) => {
    process.once("message", () => resolve());
    process.once("disconnect", () => process.exit(0));
    const message: ReloadMessage = { type: "built" };
    process.send?.(message);
  });
}
