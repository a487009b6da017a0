import { asError } from "@tsserve/config";
import type { Cause, Emit } from "@tsserve/server";
import type { Logger } from "pino";

/** Logging as one consumer of the lifecycle's events. */
export function logEvents(log: Logger): Emit {
  return (event) => {
    switch (event.type) {
      case "step-started":
        return log.debug({ step: event.step, ms: round(event.ms) }, "started");
      case "step-failed":
        return; // `serve` prints it: it must be readable even where logs are JSON.
      case "running":
        return log.info({ addresses: event.addresses, ms: round(event.ms) }, `listening on ${event.addresses.join(", ")}`);
      case "start-interrupted":
        return log.info({ step: event.step }, `${causeText(event.cause)} while starting ${event.step}: giving up the start`);
      case "callback-failed":
        return log.error({ owner: event.owner, err: asError(event.error) }, `${event.owner} failed`);
      case "shutdown":
        return logShutdown(log, event.cause, event.drainTimeMs);
      case "drain-failed":
        return log.error({ step: event.step, err: asError(event.error) }, `${event.step} failed when the drain began`);
      case "drain-ended-early":
        return log.info(
          `${causeText(event.cause)}: ending the drain${event.cause.kind === "signal" ? "; once more ends the process at once" : ""}`,
        );
      case "stopping":
        return log.info(
          { requests: event.requests.length },
          `stopping: no new connections, at most ${event.stopTimeoutMs} ms for ${event.requests.length} requests in progress`,
        );
      case "deadline":
        for (const request of event.requests)
          log.warn({ ...request }, `cut at the stop deadline: ${request.method} ${request.route} after ${request.ageMs} ms`);
        return;
      case "cut":
        return log.warn({ step: event.step, cut: event.count }, `the stop deadline cut ${event.count} of what was in progress`);
      case "stop-failed":
        return log.error({ step: event.step, err: asError(event.error) }, `stopping ${event.step} failed`);
      case "stop-overran":
        return log.error({ step: event.step }, `${event.step} did not stop by the deadline; left behind`);
      case "error-during-shutdown":
        return logUncaught(log, event.cause);
      case "signal-repeated":
        return log.warn({ exit_code: event.exitCode }, `${event.signal} once more: ending at once`);
      case "stopped":
        return log.info({ exit_code: event.exitCode, ms: round(event.ms) }, "stopped");
      default:
        return event satisfies never;
    }
  };
}

function logShutdown(log: Logger, cause: Cause, drainTimeMs: number): void {
  logUncaught(log, cause);
  const drain = drainTimeMs === 0 ? "no drain" : `draining for ${drainTimeMs} ms`;
  log.info({ cause: cause.kind, drain_ms: drainTimeMs }, `${causeText(cause)}: readiness fails from now on, ${drain}`);
}

function logUncaught(log: Logger, cause: Cause): void {
  if (cause.kind === "uncaught") {
    const text = cause.origin === "rejection" ? "unhandled promise rejection" : "uncaught exception";
    log.fatal({ err: asError(cause.error) }, text);
  }
  if (cause.kind === "server-ended" && cause.error !== undefined) log.fatal({ err: asError(cause.error) }, "the server failed");
}

export function causeText(cause: Cause): string {
  switch (cause.kind) {
    case "signal":
      return cause.signal;
    case "uncaught":
      return "an error that nobody caught";
    case "server-ended":
      return "the server ended by itself";
    case "ordered":
      return { stop: "the master stops", upgrade: "the master upgrades", replaced: "the master has replaced this worker" }[cause.reason];
    case "hurried":
      return cause.ends === "drain" ? "the master ends the drain" : "the master ends the service at once";
    case "orphaned":
      return `the master ${cause.masterPid} has gone`;
    default:
      return cause satisfies never;
  }
}

function round(ms: number): number {
  return Math.round(ms);
}
