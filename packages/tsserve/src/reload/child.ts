import type { Host } from "../host.ts";
import { reportWrites } from "./report-writes.ts";

/** Set for the process that serves under `--reload`. */
export const childVariable = "TSSERVE_RELOAD_CHILD";

export function isReloadChild(host: Host): boolean {
  return host.env[childVariable] === "1" && process.send !== undefined;
}

/** What a child says. */
export type ChildMessage =
  /** Its app is built: it waits for its turn to take the port. */
  | { readonly type: "built" }
  /** Its app has written a file. */
  | { readonly type: "wrote"; readonly path: string };

/** What the supervisor says to a child that is built: the one before has left. */
export type SupervisorMessage = { readonly type: "serve" };

/** From here on the supervisor is told which files the app writes. Before the app is loaded. */
export function tellWrites(): void {
  const fs = process.getBuiltinModule("node:fs");
  reportWrites(fs as unknown as Parameters<typeof reportWrites>[0], (path) => say({ type: "wrote", path }));
}

/** Tells the supervisor that the app is built, and waits until the one before has left. */
export function waitForTurn(host: Host): Promise<void> {
  return new Promise((resolve) => {
    process.once("message", () => resolve());
    process.once("disconnect", () => host.causes.add({ kind: "orphaned", masterPid: host.ppid }));
    say({ type: "built" });
  });
}

function say(message: ChildMessage): void {
  // A supervisor that has gone is noticed by its channel.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}
