import { performance } from "node:perf_hooks";
import { residentMemory, type ActiveRequests, type Meter } from "@tsserve/server";
import type { MasterChannel } from "./master-channel.ts";
import { messageFigures } from "./message-figures.ts";

const intervalMs = 1000;

/** Tells the master at once, and then once a second, how this worker is. */
export function reportFigures(requests: ActiveRequests, master: MasterChannel, meter: Meter | undefined): () => void {
  const messages = messageFigures(meter);
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
        memoryBytes: residentMemory(),
        eventLoopUtilization: Math.min(1, Math.max(0, Math.round(utilization * 1000) / 1000)),
        messages: messages(),
      },
    });
  };
  report();
  const timer = setInterval(report, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}
