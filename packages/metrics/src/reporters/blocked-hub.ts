import type { Meter } from "@tsserve/server";
import type { Reporter } from "./schedule.ts";
import type { Timings } from "./statsd.ts";

const family = {
  name: "runtime_hub_blocked_seconds",
  help: "How long the event loop stood still, each time that it was longer than monitoring.blocked_hub.",
  type: "histogram",
  buckets: [0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30],
} as const;

const longestBeatMs = 50;
const shortestBeatMs = 2;
/** More would be more exact, and wake an idle process more often. */
const beatsPerThreshold = 2;

/**
 * Observes each block of the event loop that is longer than a threshold once, with its duration.
 *
 * @param beat called at each turn of the timer: for a watchdog, which takes the stack while the loop is still blocked
 */
export function blockedHubReporter(
  meter: Meter,
  hostname: string,
  thresholdMs: number,
  beat: () => void,
  timings: Timings | undefined,
): Reporter {
  const blocked = meter.histogram(family, { hostname });
  const beatMs = Math.min(longestBeatMs, Math.max(shortestBeatMs, thresholdMs / beatsPerThreshold));
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    // A block begins at any moment between two beats: half of an interval, on average, is nobody's fault.
    const blockedMs = now - last - beatMs / 2;
    last = now;
    beat();
    if (blockedMs < thresholdMs) return;
    blocked.observe(blockedMs / 1000);
    timings?.timing("hub_blocked", blockedMs);
  }, beatMs);
  timer.unref();
  beat();
  return { name: "monitoring.blocked_hub", report: () => undefined, end: () => clearInterval(timer) };
}
