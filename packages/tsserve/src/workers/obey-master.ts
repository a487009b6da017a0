import type { Cause } from "@tsserve/server";
import type { Host } from "../host.ts";
import { causeText } from "../log-events.ts";
import type { MasterChannel } from "./master-channel.ts";

/**
 * Makes what the master says a cause to stop, and tells it when this worker begins to leave by itself: an error that
 * nobody caught, a signal that somebody else sent, a server that ended. Its successor is started then, not when it has
 * gone.
 */
export function obeyMaster(host: Pick<Host, "causes" | "ppid">, master: MasterChannel): void {
  const { causes, ppid } = host;
  master.on("tsserve:stop", ({ reason }) => causes.add({ kind: "ordered", reason }));
  master.on("tsserve:hurry", ({ ends }) => causes.add({ kind: "hurried", ends }));
  // Sooner than to look for the parent's pid from time to time.
  master.onGone(() => causes.add({ kind: "orphaned", masterPid: ppid }));
  void causes.first.then((cause) => {
    if (isOwnDecision(cause)) void master.tell({ type: "tsserve:leaving", reason: causeText(cause) });
  });
}

function isOwnDecision(cause: Cause): boolean {
  return cause.kind === "signal" || cause.kind === "uncaught" || cause.kind === "server-ended";
}
