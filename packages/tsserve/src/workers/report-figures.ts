import { performance } from "node:perf_hooks";
import { figuresType, type WorkerFigures } from "@tsserve/master";
import type { ActiveRequests } from "@tsserve/server";

const intervalMs = 1000;

/** Tells the master once a second how this worker is. */
export function reportFigures(requests: ActiveRequests): () => void {
  let last = performance.eventLoopUtilization();
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    const figures: WorkerFigures = {
      activeRequests: requests.size,
      requestsTotal: requests.total,
      memoryBytes: process.memoryUsage.rss(),
      eventLoopUtilization: Math.round(utilization * 1000) / 1000,
    };
    // A master that has gone is noticed elsewhere.
    if (process.connected) process.send?.({ type: figuresType, figures }, undefined, undefined, () => undefined);
  }, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}
