import { performance } from "node:perf_hooks";
import type { ActiveRequests } from "@tsserve/server";
import type { MasterChannel } from "./master-channel.ts";

const intervalMs = 1000;

/** Tells the master at once, and then once a second, how this worker is. */
export function reportFigures(requests: ActiveRequests, master: MasterChannel): () => void {
  let last = performance.eventLoopUtilization();
  const report = (): void => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    void master.tell({
      type: "tsserve:figures",
      figures: {
        activeRequests: requests.size,
        requestsTotal: requests.total,
        memoryBytes: process.memoryUsage.rss(),
        eventLoopUtilization: Math.min(1, Math.max(0, Math.round(utilization * 1000) / 1000)),
      },
    });
  };
  report();
  const timer = setInterval(report, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}
