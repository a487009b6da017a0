import { monitorEventLoopDelay, performance, type EventLoopUtilization } from "node:perf_hooks";
import { eachTurn } from "./each-turn.ts";
import type { ProcessGauges } from "./process-gauges.ts";
import type { Reporter } from "./schedule.ts";

/** The monitor of a busy loop is a timer of Node's, which wakes it so often. An idle one is not woken: its turns are measured. */
const resolutionMs = 20;
/** A part of the time. */
const busyFrom = 0.02;
const quantiles = [0.5, 0.9, 0.99, 1] as const;

interface Monitor {
  /** By how many seconds timers were late since the last reset. */
  lateness(quantile: number): number;
  reset(): void;
  end(): void;
}

/** How busy the event loop was since the last report, and by how much timers were late. */
export function eventLoopReporter(gauges: ProcessGauges): Reporter {
  let isBusy = false;
  let monitor = monitorTurns();
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
        gauges.set("runtime_event_loop_delay_seconds", "By how much timers were late in the last second.", monitor.lateness(quantile), {
          quantile: String(quantile),
        });
      }
      if (utilization >= busyFrom === isBusy) return monitor.reset();
      isBusy = !isBusy;
      monitor.end();
      monitor = isBusy ? monitorTimer() : monitorTurns();
    },
    end: () => monitor.end(),
  };
}

/** What Node measures is the interval of its timer, in nanoseconds; not counted is the first one, in which this reporter runs. */
function monitorTimer(): Monitor {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  histogram.enable();
  return {
    lateness: (quantile) => (histogram.count === 0 ? 0 : Math.max(0, histogram.percentile(quantile * 100) / 1e9 - resolutionMs / 1000)),
    reset: () => histogram.reset(),
    end: () => void histogram.disable(),
  };
}

/** A timer that was due while something else ran had to wait until that was over. */
function monitorTurns(): Monitor {
  let turnsMs: number[] = [];
  let isFirst = true;
  const end = eachTurn(({ busyMs }) => {
    if (!isFirst) turnsMs.push(busyMs);
    isFirst = false;
  });
  return {
    lateness: (quantile) => {
      const sorted = turnsMs.toSorted((a, b) => a - b);
      return (sorted[Math.max(0, Math.ceil(sorted.length * quantile) - 1)] ?? 0) / 1000;
    },
    reset: () => {
      turnsMs = [];
      isFirst = true;
    },
    end,
  };
}
