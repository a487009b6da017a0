import type { Pulse } from "../pulse.ts";

/** Gauges are at most a second old. */
const reportIntervalMs = 1000;
/** What is sent to others, or costs something, is done at each full ten seconds of the wall clock. */
export const slowReportIntervalMs = 10_000;

/** Takes one kind of figure. */
export interface Reporter {
  readonly name: string;
  /** Default `reportIntervalMs`. */
  readonly everyMs?: number;
  report(): void;
  /** Ends what it does between reports. */
  end?(): void;
}

/**
 * Runs reporters at the beats of a pulse, each whatever becomes of the others.
 *
 * @returns ends them
 */
export function schedule(
  reporters: readonly Reporter[],
  pulse: Pick<Pulse, "every">,
  onError: (reporter: string, error: unknown) => void,
): () => void {
  const failing = new Set<string>();
  let hasEnded = false;
  const report = (reporter: Reporter): void => {
    if (hasEnded) return;
    try {
      reporter.report();
      failing.delete(reporter.name);
    } catch (error) {
      if (!failing.has(reporter.name)) onError(reporter.name, error);
      failing.add(reporter.name);
    }
  };
  for (const reporter of reporters) {
    report(reporter);
    pulse.every(reporter.name, reporter.everyMs ?? reportIntervalMs, () => report(reporter));
  }
  return () => {
    hasEnded = true;
    for (const reporter of reporters) reporter.end?.();
  };
}
