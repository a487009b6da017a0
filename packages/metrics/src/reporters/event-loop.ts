import { monitorEventLoopDelay, performance, type EventLoopUtilization } from "node:perf_hooks";
import type { ProcessGauges } from "./process-gauges.ts";
import type { Reporter } from "./schedule.ts";

const resolutionMs = 20;
const quantiles = [0.5, 0.9, 0.99, 1] as const;

/** How busy the event loop was since the last report, and by how much timers were late. */
export function eventLoopReporter(gauges: ProcessGauges): Reporter {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  // The first report tells of all the time so far.
  let last: EventLoopUtilization | undefined;
  return {
    name: "event loop",
    report: () => {
      const now = performance.eventLoopUtilization();
      gauges.set(
        "runtime_event_loop_utilization",
        "The part of the last interval in which the event loop was busy, 0 to 1.",
        last === undefined ? now.utilization : performance.eventLoopUtilization(now, last).utilization,
      );
      last = now;
      for (const quantile of quantiles) {
        // What it measures is the interval of its timer, in nanoseconds.
        const delay = Math.max(0, histogram.percentile(quantile * 100) / 1e9 - resolutionMs / 1000);
        const seconds = histogram.count === 0 ? 0 : delay;
        gauges.set("runtime_event_loop_delay_seconds", "By how much timers were late in the last interval.", seconds, {
          quantile: String(quantile),
        });
      }
      // Not counted is the first interval after this: it is the one in which this reporter runs.
      histogram.reset();
    },
    end: () => histogram.disable(),
  };
}
