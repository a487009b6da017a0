import type { ActiveRequests, Step } from "@tsserve/server";
import type { Host } from "../host.ts";
import { isOwnWorker } from "../workers/own-worker.ts";

/** Our own master is told once a second how its worker is, also while it starts. */
export function figuresStep(host: Host, requests: ActiveRequests): Step<(() => void) | undefined> {
  return {
    name: "the figures for the master",
    start: async () => (isOwnWorker(host) ? (await import("../workers/report-figures.ts")).reportFigures(requests) : undefined),
    stop: (end) => end?.(),
  };
}
