import { constants } from "node:os";
import { exitCodeOf, isTsserveError } from "@tsserve/config";
import type { Cause } from "./events.ts";

/** What the exit code of the process says. */
export const exitCodes = {
  /** Stopped when asked, nothing lost. */
  stopped: 0,
  /** The server ended by itself, or work was cut at the stop deadline. */
  lost: 1,
  /** The command line or the configuration is wrong. */
  misconfigured: 2,
  /** Never served: a module, a factory, a bind or a start failed. */
  neverServed: 3,
} as const;

/** How a process came to its end. */
export type End =
  /** It served, and then there was a cause to stop. `lost`: something was cut, failed, or was not caught. */
  | { readonly kind: "served"; readonly cause: Cause; readonly lost: boolean }
  /** It was asked to stop before it served. `lost`: undoing what had started failed. */
  | { readonly kind: "start-interrupted"; readonly cause: Cause; readonly lost: boolean }
  /** It never served, because of an error. */
  | { readonly kind: "start-failed"; readonly error: unknown }
  /** The same signal came once too often: it ended at once. */
  | { readonly kind: "signal-repeated"; readonly signal: NodeJS.Signals }
  /** The app itself ended the process, with this code. `lost`: requests were in progress. */
  | { readonly kind: "exited"; readonly during: "start" | "service" | "stop"; readonly code: number; readonly lost: boolean };

/**
 * The exit code, decided here alone:
 *
 * | how it ended                                                            | code    |
 * | ----------------------------------------------------------------------- | ------- |
 * | asked to stop, or its master has gone; nothing was lost                  | 0       |
 * | asked to stop while it started; what had started was undone             | 0       |
 * | something was cut at the deadline, failed to stop, or was not caught     | 1       |
 * | the server ended by itself                                               | 1       |
 * | the app ended the process while it served, or with requests in progress | 1       |
 * | the command line or the configuration is wrong                          | 2       |
 * | the start failed, or the app ended the process while it started         | 3       |
 * | a signal was repeated once too often                                    | 128 + N |
 */
export function exitCodeAfter(end: End): number {
  switch (end.kind) {
    case "served":
      return end.lost || end.cause.kind === "uncaught" || end.cause.kind === "server-ended" ? exitCodes.lost : exitCodes.stopped;
    case "start-interrupted":
      return end.lost ? exitCodes.lost : exitCodes.stopped;
    case "start-failed":
      return isTsserveError(end.error) ? exitCodeOf(end.error) : exitCodes.neverServed;
    case "signal-repeated":
      return signalExitCode(end.signal);
    case "exited":
      return afterExit(end);
    default:
      return end satisfies never;
  }
}

/** A code that says that something went wrong is the app's to choose, but for a start, which is known by its own. */
function afterExit({ during, code, lost }: Extract<End, { kind: "exited" }>): number {
  if (during === "start") return exitCodes.neverServed;
  if (code !== exitCodes.stopped && !lost) return code;
  return lost || during === "service" ? exitCodes.lost : code;
}

/** Ended by a repeated signal: 128 and the signal's number, as shells report it. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
