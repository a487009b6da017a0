import type { Meter } from "@tsserve/server";
import { eachTurn, sleptMs } from "./each-turn.ts";
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
/** More would be more exact, and wake a process more often. */
const beatsPerThreshold = 2;

/** An event loop that has slept for this share of an interval has nothing to do. */
const quietShare = 0.9;
/** How long it has had nothing to do before the beats stop. */
const quietMs = 1000;
/** How much work within `quietMs` begins them again: to follow each turn of a busy loop would cost more than they do. */
const [mostTurns, mostBusyMs] = [50, 100];

/** Who takes the stack of a loop that is blocked: the watchdog. */
export interface LoopWatcher {
  /** The event loop turns. Once called, it is to be called all the time, but for when the loop rests: else it is taken to be blocked. */
  beat(): void;
  /** Whether the watcher can tell by itself that the loop sleeps, so that nobody needs to wake it; may be so only when asked again. */
  mayRest(): boolean;
  /** From `true` on, there is a beat at the end of each turn of the loop, and none while it sleeps. */
  rest(isResting: boolean): void;
}

/**
 * Observes each block of the event loop that is longer than a threshold once, with its duration. A timer shows by its delay that
 * the loop did not turn. A loop that has nothing to do is not woken for it: it then measures each of its turns.
 */
export function blockedHubReporter(
  meter: Meter,
  hostname: string,
  thresholdMs: number,
  watcher: LoopWatcher,
  timings: Timings | undefined,
): Reporter {
  const blocked = meter.histogram(family, { hostname });
  const beatMs = Math.min(longestBeatMs, Math.max(shortestBeatMs, thresholdMs / beatsPerThreshold));
  const observe = (blockedMs: number): void => {
    if (blockedMs < thresholdMs) return;
    blocked.observe(blockedMs / 1000);
    timings?.timing("hub_blocked", blockedMs);
  };

  let end: () => void;
  const follow = (): void => {
    let last = performance.now();
    let slept = sleptMs();
    let quietSince = last;
    const timer = setInterval(() => {
      const [now, sleptNow] = [performance.now(), sleptMs()];
      const passedMs = now - last;
      watcher.beat();
      // A block begins at any moment between two beats: half of an interval, on average, is nobody's fault.
      observe(passedMs - beatMs / 2);
      if (sleptNow - slept < passedMs * quietShare) {
        quietSince = now;
        watcher.rest(false);
      } else if (now - quietSince >= quietMs && watcher.mayRest()) {
        clearInterval(timer);
        rest();
      }
      [last, slept] = [now, sleptNow];
    }, beatMs);
    timer.unref();
    end = () => clearInterval(timer);
  };

  const rest = (): void => {
    watcher.rest(true);
    let since = performance.now();
    let [turns, workedMs] = [0, 0];
    end = eachTurn(({ nowMs, busyMs }) => {
      watcher.beat();
      observe(busyMs);
      if (nowMs - since > quietMs) [since, turns, workedMs] = [nowMs, 0, 0];
      turns += 1;
      workedMs += busyMs;
      if (turns <= mostTurns && workedMs <= mostBusyMs) return;
      end();
      watcher.rest(false);
      follow();
    });
  };

  follow();
  watcher.beat();
  return { name: "monitoring.blocked_hub", report: () => undefined, end: () => end() };
}
