import type { ActiveRequests, Step } from "@tsserve/server";
import type { MasterChannel } from "../workers/master-channel.ts";

/** Our own master is told once a second how its worker is, also while it starts. */
export function figuresStep(master: MasterChannel | undefined, requests: ActiveRequests): Step<(() => void) | undefined> {
  return {
    name: "the figures for the master",
    start: async () => master && (await import("../workers/report-figures.ts")).reportFigures(requests, master),
    stop: (end) => end?.(),
  };
}
