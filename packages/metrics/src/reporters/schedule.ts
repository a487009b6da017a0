/** Figures of the runtime are taken at each full ten seconds of the wall clock, so that those of several processes fit together. */
export const reportIntervalMs = 10_000;

/** Takes one kind of figure. */
export interface Reporter {
  readonly name: string;
  report(): void;
  /** Ends what it does between reports. */
  end?(): void;
}

/**
 * Runs reporters, each whatever becomes of the others.
 *
 * @returns ends them
 */
export function schedule(reporters: readonly Reporter[], onError: (reporter: string, error: unknown) => void): () => void {
  const failing = new Set<string>();
  const report = (): void => {
    for (const reporter of reporters) {
      try {
        reporter.report();
        failing.delete(reporter.name);
      } catch (error) {
        if (!failing.has(reporter.name)) onError(reporter.name, error);
        failing.add(reporter.name);
      }
    }
  };
  let timer: NodeJS.Timeout;
  const next = (): void => {
    timer = setTimeout(
      () => {
        report();
        next();
      },
      reportIntervalMs - (Date.now() % reportIntervalMs),
    );
    timer.unref();
  };
  report();
  next();
  return () => {
    clearTimeout(timer);
    for (const reporter of reporters) reporter.end?.();
  };
}
