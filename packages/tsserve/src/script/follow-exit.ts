import type { Logger } from "pino";
import { exitCodes } from "@tsserve/server";
import type { Host } from "../host.ts";

/** What a job that ends the process itself leaves undone. */
export interface Unfinished {
  /** `onStop` hooks that have not run. */
  readonly hooks: number;
  /** Whether the job's span would be sent. */
  readonly isRecorded: boolean;
  /** Where its metrics would be pushed. */
  readonly gateway: string | undefined;
  /** Whether it counts as failed when they are not. */
  readonly mustPush: boolean;
}

/**
 * A job may end the process itself, with `process.exit`: nothing can be sent any more then, which is said. The exit code stays the
 * job's, unless a push is required that there was none of.
 *
 * @returns ends the following: from now on the end of the process is as it should be
 */
export function followExit(
  host: Pick<Host, "onExit" | "isEnding"> & { readonly process: Pick<Host["process"], "exitCode"> },
  log: Pick<Logger, "warn">,
  unfinished: () => Unfinished,
): () => void {
  let isOver = false;
  host.onExit(() => {
    if (isOver || host.isEnding) return;
    const { hooks, isRecorded, gateway, mustPush } = unfinished();
    const lost = [
      ...(hooks === 0 ? [] : ["its onStop hooks did not run"]),
      ...(isRecorded ? ["its span was not sent"] : []),
      ...(gateway === undefined ? [] : ["its metrics were not pushed"]),
    ];
    if (lost.length > 0) log.warn(`the script ended the process itself, so that ${lost.join(", ")}: let it return the exit code instead`);
    if (mustPush && (host.process.exitCode ?? exitCodes.stopped) === exitCodes.stopped) host.process.exitCode = exitCodes.lost;
  });
  return () => {
    isOver = true;
  };
}
