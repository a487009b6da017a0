import { asError } from "@tsserve/config";
import { exitCodes, signalExitCode } from "@tsserve/server";
import type { Host } from "../host.ts";
import { tellThrown } from "../tell-failure.ts";

/** How a job ended. */
export interface JobEnd {
  readonly exitCode: number;
  readonly succeeded: boolean;
  /** What it failed with, unless it was told to stop. */
  readonly error?: Error;
  /** By which it was told to stop, where it has no exit code of its own. */
  readonly signal?: NodeJS.Signals;
}

/** How long a job may go on after it was told to stop. */
const stopTimeoutMs = 10_000;

/**
 * Runs a job. A number that it gives is the exit code. SIGTERM and SIGINT abort its signal: when it then ends with a number,
 * that counts; else, and when it has not ended in time, the exit code says which signal it was. A second signal does not wait.
 *
 * @param name as typed, for messages
 */
export async function runJob(host: Host, name: string, job: (signal: AbortSignal) => unknown): Promise<JobEnd> {
  const stopping = new AbortController();
  let signal: NodeJS.Signals | undefined;
  const given = Promise.resolve()
    .then(() => job(stopping.signal))
    .then(
      (value) => ({ value }),
      (thrown: unknown) => ({ thrown }),
    );
  const interrupted = new Promise<{ thrown: unknown } | "told" | "again">((resolve) => {
    const onCause = (cause: Awaited<Host["causes"]["first"]>): void => {
      if (cause.kind === "uncaught") resolve({ thrown: cause.error });
      else if (cause.kind === "server-ended") resolve({ thrown: new Error("it waits for something that can't happen any more") });
      else if (cause.kind === "signal") {
        signal ??= cause.signal;
        resolve("told");
      }
    };
    void host.causes.first.then(onCause);
  });
  const again = new Promise<"again">((resolve) => host.causes.onLater(() => resolve("again")));
  let outcome = await Promise.race([given, interrupted]);
  if (outcome === "told") {
    stopping.abort();
    outcome = await Promise.race([given, again, timeout()]);
  }
  return endOf(host, name, outcome, signal);
}

function timeout(): Promise<"again"> {
  return new Promise((resolve) => {
    setTimeout(() => resolve("again"), stopTimeoutMs).unref();
  });
}

function endOf(
  host: Host,
  name: string,
  outcome: { value: unknown } | { thrown: unknown } | "told" | "again",
  signal: NodeJS.Signals | undefined,
): JobEnd {
  const stopped = signal === undefined ? undefined : { exitCode: signalExitCode(signal), succeeded: false, signal };
  if (typeof outcome === "string") return stopped ?? { exitCode: exitCodes.lost, succeeded: false };
  if ("thrown" in outcome) {
    // A job that is told to stop usually ends by throwing: that is no failure to tell of.
    if (stopped !== undefined) return stopped;
    tellThrown(host, name, outcome.thrown, exitCodes.lost);
    return { exitCode: exitCodes.lost, succeeded: false, error: asError(outcome.thrown) };
  }
  const { value } = outcome;
  if (typeof value === "number") {
    const exitCode = Number.isInteger(value) && value >= 0 && value <= 255 ? value : exitCodes.lost;
    return { exitCode, succeeded: exitCode === 0 };
  }
  return stopped ?? { exitCode: exitCodes.stopped, succeeded: true };
}
