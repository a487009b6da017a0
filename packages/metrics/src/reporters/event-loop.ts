import { monitorEventLoopDelay, performance, type EventLoopUtilization, type IntervalHistogram } from "node:perf_hooks";
import type { ProcessGauges } from "./process-gauges.ts";
import type { Reporter } from "./schedule.ts";

/** The monitor is a timer: so often it wakes a busy process, and an idle one, in which nothing but a long block is worth knowing. */
const resolutionMs = { busy: 20, idle: 100 } as const;
/** A part of the time. */
const busyFrom = 0.02;
const quantiles = [0.5, 0.9, 0.99, 1] as const;

interface Monitor {
  readonly histogram: IntervalHistogram;
  readonly resolutionMs: number;
}

/** How busy the event loop was since the last report, and by how much timers were late. */
export function eventLoopReporter(gauges: ProcessGauges): Reporter {
  const idle = monitorOf(resolutionMs.idle);
  const busy = monitorOf(resolutionMs.busy);
  idle.histogram.enable();
  let used = idle;
  // The first report tells of all the time so far.
  let last: EventLoopUtilization | undefined;
  return {
    name: "event loop",
    report: () => {
      const now = performance.eventLoopUtilization();
      const utilization = last === undefined ? now.utilization : performance.eventLoopUtilization(now, last).utilization;
      last = now;
      gauges.set("runtime_event_loop_utilization", "The part of the last second in which the event loop was busy, 0 to 1.", utilization);
      for (const quantile of quantiles) {
        const seconds = lateness(used, quantile);
        gauges.set("runtime_event_loop_delay_seconds", "By how much timers were late in the last second.", seconds, {
          quantile: String(quantile),
        });
      }
      const next = utilization >= busyFrom ? busy : idle;
      if (next !== used) {
        used.histogram.disable();
        next.histogram.enable();
        used = next;
      }
      // Not counted is the first interval after this: it is the one in which this reporter runs.
      used.histogram.reset();
    },
    end: () => used.histogram.disable(),
  };
}

function monitorOf(resolution: number): Monitor {
  return { histogram: monitorEventLoopDelay({ resolution }), resolutionMs: resolution };
}

/** What is measured is the interval of the timer, in nanoseconds. */
function lateness({ histogram, resolutionMs: expectedMs }: Monitor, quantile: number): number {
  return histogram.count === 0 ? 0 : Math.max(0, histogram.percentile(quantile * 100) / 1e9 - expectedMs / 1000);
}
