import { performance, type EventLoopUtilization } from "node:perf_hooks";
import { eachTurn } from "./each-turn.ts";
import type { ProcessGauges } from "./process-gauges.ts";
import type { Reporter } from "./schedule.ts";

/** A busy loop is looked at by a timer, which wakes it so often. An idle one is not woken: its turns are measured. */
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

/**
 * By how much a timer comes late; the interval in which this begins is not counted, as this reporter runs in it. Node's own
 * `monitorEventLoopDelay` keeps a histogram of 60,000 cells, which it goes through for each quantile: more than a millisecond each,
 * when fifty numbers are all that there is.
 */
function monitorTimer(): Monitor {
  let lateMs: number[] = [];
  let last: number | undefined;
  const timer = setInterval(() => {
    const now = performance.now();
    if (last !== undefined) lateMs.push(Math.max(0, now - last - resolutionMs));
    last = now;
  }, resolutionMs).unref();
  return {
    lateness: (quantile) => secondsAt(quantile, lateMs),
    reset: () => void (lateMs = []),
    end: () => clearInterval(timer),
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
    lateness: (quantile) => secondsAt(quantile, turnsMs),
    reset: () => {
      turnsMs = [];
      isFirst = true;
    },
    end,
  };
}

function secondsAt(quantile: number, milliseconds: readonly number[]): number {
  const sorted = milliseconds.toSorted((a, b) => a - b);
  return (sorted[Math.max(0, Math.ceil(sorted.length * quantile) - 1)] ?? 0) / 1000;
}
