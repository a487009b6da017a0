import { exitCodeAfter } from "@tsserve/server";
import type { Host } from "../host.ts";

/** From so many signals on, the process ends at once. */
const signalsUntilEnd = 3;

/** Ends a process whose main thread is stuck: before it has started one signal is enough, later the third. */
export function endStuck(host: Host, signal: NodeJS.Signals, heard: number): void {
  const cause = { kind: "signal", signal } as const;
  host.exit(
    exitCodeAfter(heard < signalsUntilEnd ? { kind: "start-interrupted", cause, lost: false } : { kind: "signal-repeated", signal }),
  );
}
