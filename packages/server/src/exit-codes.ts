import { constants } from "node:os";

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

/** Ended by a repeated signal: 128 and the signal's number, as shells report it. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
