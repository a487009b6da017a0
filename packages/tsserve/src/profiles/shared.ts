import type { WatchdogAnswer, WatchdogRequest } from "@tsserve/master";
import type { ProfileSettings } from "../stacks/shared.ts";

/** What the thread that takes a profile is told at its start. */
export interface ProfileTask {
  readonly request: WatchdogRequest;
  readonly folder: string;
  /** Of the file, without its ending. */
  readonly name: string;
}

/** Where the watchdog thread is asked for profiles; it takes one at a time. */
export interface ProfileDesk {
  ask(request: WatchdogRequest, tell: (answer: WatchdogAnswer) => void): void;
  /** Somebody has signalled that there is something to read. */
  open(): void;
}

/** What the module of the desk exports. `log` writes a line at level warn. */
export type MakeDesk = (settings: ProfileSettings, pid: number, log: (message: string) => void) => ProfileDesk;
