import { asError, callerPlace } from "@tsserve/config";
import { isThenable } from "./thenable.ts";

/** Where a failure is told: whose it is, what failed. */
export type ReportFailure = (owner: string, error: Error) => void;

/**
 * The border between the server and what is not the server's: everything of the user's that we call (hooks, listeners, probes,
 * pools, wrapped servers, renderers) is called through it. What is thrown there, or rejected, is told with its owner, and ends
 * no more than the one call.
 */
export interface Guard {
  /**
   * Calls at once. A promise is no value: what it rejects with is told, too.
   *
   * @param owner whose it is, in words: `the pool "db"`
   * @param otherwise what is given when it throws
   */
  call<T>(owner: string, run: () => T, otherwise: T): T;
  /** Calls, and waits for what it gives, be it a promise of Node's or something of another kind with a `then`. */
  wait<T>(owner: string, run: () => T | PromiseLike<T>, otherwise: T): Promise<T>;
  /** Calls what is not waited for: an async function's rejection is told as well. */
  tell(owner: string, run: () => unknown): void;
  /** Tells a failure that was caught elsewhere. Never throws. */
  report(owner: string, thrown: unknown): void;
}

/** @param report is told of every failure; what it throws itself is nobody's */
export function makeGuard(report: ReportFailure): Guard {
  const tellFailure = (owner: string, thrown: unknown): void => {
    try {
      report(owner, asError(thrown));
    } catch {
      // A log that fails must not become the failure of whoever is guarded.
    }
  };
  return {
    report: tellFailure,
    call: (owner, run, otherwise) => {
      try {
        const given = run();
        if (!isThenable(given)) return given;
        // A promise where a value is expected is none; what it rejects with must not end the process.
        Promise.resolve(given).catch((thrown: unknown) => tellFailure(owner, thrown));
        return otherwise;
      } catch (thrown) {
        tellFailure(owner, thrown);
        return otherwise;
      }
    },
    wait: async (owner, run, otherwise) => {
      try {
        return await run();
      } catch (thrown) {
        tellFailure(owner, thrown);
        return otherwise;
      }
    },
    tell: (owner, run) => {
      try {
        const given = run();
        if (mayBePromise(given)) Promise.resolve(given).catch((thrown: unknown) => tellFailure(owner, thrown));
      } catch (thrown) {
        tellFailure(owner, thrown);
      }
    },
  };
}

function mayBePromise(value: unknown): boolean {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/**
 * Whose a function is that is being registered: what it is for, its name, and where that happens.
 * `the onStop hook "closeDatabase" of /srv/app/app.js:12`.
 */
export function ownerOf(what: string, run: unknown): string {
  let name = "";
  try {
    const found = (run as { name?: unknown }).name;
    if (typeof found === "string" && found !== "") name = ` "${found.slice(0, longestName)}"`;
  } catch {
    // A proxy that refuses to tell its name has none.
  }
  const place = callerPlace();
  return `${what}${name}${place === "" ? "" : ` of ${place}`}`;
}

const longestName = 100;
