import type { ActiveRequests, Meter, Step } from "@tsserve/server";
import type { MasterChannel } from "../workers/master-channel.ts";

/** Our own master is told once a second how its worker is, also while it starts. */
export function figuresStep(
  master: MasterChannel | undefined,
  { requests, meter }: { readonly requests: ActiveRequests; readonly meter: Meter | undefined },
): Step<(() => void) | undefined> {
  return {
    name: "the figures for the master",
    start: async () => master && (await import("../workers/report-figures.ts")).reportFigures(requests, master, meter),
    stop: (end) => end?.(),
  };
}
