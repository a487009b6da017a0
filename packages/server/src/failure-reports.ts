/** A failure as an error tracker is told of it. */
export interface FailureReport {
  readonly error: Error;
  readonly level: "error" | "fatal";
  /** What the log says of it. */
  readonly message?: string | undefined;
  /** The request that failed, by its id, where one did. */
  readonly requestId?: string | undefined;
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
  /** The name of the logger, or whose failure it is. */
  readonly owner?: string | undefined;
}

/**
 * Where failures are told of beside the log. Each error is told once, however many places see it: the framework's hook, the log,
 * an error that nobody caught.
 */
export class FailureReports {
  #isWanted = false;
  #take: ((report: FailureReport) => void) | undefined;
  readonly #told = new WeakSet<Error>();

  /** Whether somebody takes reports: what costs something only to tell of failures is left out otherwise. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** From now on, whoever sees failures is to tell of them. To be called before loggers and apps are made. */
  want(): void {
    this.#isWanted = true;
  }

  /** From now on, failures are told to `take`, until the function is called that it gives. */
  takeWith(take: (report: FailureReport) => void): () => void {
    this.#isWanted = true;
    this.#take = take;
    return () => {
      if (this.#take === take) this.#take = undefined;
    };
  }

  /** Never throws: a report that fails must not become the failure of the request. */
  tell(report: FailureReport): void {
    if (this.#take === undefined || this.#told.has(report.error)) return;
    this.#told.add(report.error);
    try {
      this.#take(report);
    } catch {
      // The log has the failure itself.
    }
  }
}

const key = Symbol.for("tsserve.failureReports");

/** One in a process, even where an app brings a copy of this package of its own. */
export function failureReports(): FailureReports {
  return ((globalThis as { [key]?: FailureReports })[key] ??= new FailureReports());
}
