import type { ActiveRequests, RequestDescription } from "@tsserve/server";
import type { Logger } from "pino";
import type { Host } from "../host.ts";
import { requestsKey } from "./shared.ts";
import type { Watchdog } from "./watchdog.ts";

/**
 * Answers SIGUSR1. The main thread does so itself when its event loop turns; it then waits for something, and says for
 * what. When it is stuck, the watchdog thread, which hears of the signal by itself, takes its stack.
 */
export function dumpStacksOnSignal(host: Host, log: Logger, requests: ActiveRequests, watchdog: Watchdog): void {
  (globalThis as Record<symbol, unknown>)[Symbol.for(requestsKey)] = () => JSON.stringify(requests.describe());
  host.onSignal("SIGUSR1", () => {
    if (!watchdog.answered()) logWaiting(log, requests.describe());
  });
  void watchdog.listening.then((err) => {
    if (err === undefined) log.debug("the watchdog thread listens for SIGUSR1");
    else log.warn({ err }, "the watchdog thread failed: SIGUSR1 can't show the stack of a stuck event loop");
  });
}

function logWaiting(log: Logger, requests: readonly RequestDescription[]): void {
  const resources: Record<string, number> = {};
  for (const type of process.getActiveResourcesInfo()) resources[type] = (resources[type] ?? 0) + 1;
  const waits = requests.map(({ method, route, ageMs }) => `${method} ${route} for ${ageMs} ms`);
  const handles = Object.entries(resources).map(([type, count]) => `${count} ${type}`);
  const stack = [
    `idle: no JavaScript is running`,
    ...waits.map((each) => `  request in progress: ${each}`),
    `  open handles: ${handles.join(", ") || "none"}`,
  ].join("\n");
  log.warn({ requests, resources, stack }, `SIGUSR1: the event loop turns; ${requests.length} requests in progress`);
}
