import { signalExitCode, type Cause } from "@tsserve/server";
import type { Host } from "./host.ts";

/** The command was asked to stop, or the user's code failed behind its back. */
export class Interruption extends Error {
  override readonly name = "Interruption";
  readonly reason: Cause;

  constructor(reason: Cause) {
    super(reason.kind);
    this.reason = reason;
  }
}

/** For commands that are no servers: gives up as soon as there is a reason to. */
export function interruptible<T>(host: Host, work: Promise<T>): Promise<T> {
  return Promise.race([work, host.causes.first.then((cause) => Promise.reject(new Interruption(cause)))]);
}

/** The exit code of a command that was interrupted. */
export function interruptionExitCode({ reason }: Interruption): number {
  return reason.kind === "signal" ? signalExitCode(reason.signal) : 1;
}
