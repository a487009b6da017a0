import type { AbandonReason, KillReason, MasterEvent, Worker } from "@tsserve/master";
import type { Logger } from "pino";

/** The log is one consumer of what happens to workers. `words` are the last ones of the worker, masked. */
export function logMasterEvents(log: Logger): (event: MasterEvent, words: string) => void {
  return (event, words) => {
    switch (event.type) {
      case "spawned":
        return log.info(fields(event.worker), `${identity(event.worker)} started`);
      case "acknowledged":
        return log.info(fields(event.worker), `${identity(event.worker)} is up`);
      case "stopping":
        return log.info(fields(event.worker), `${identity(event.worker)} is told to stop`);
      case "leaving":
        return log.warn(
          { ...fields(event.worker), reason: event.reason },
          `${identity(event.worker)} leaves by itself, and its successor is started: ${event.reason}`,
        );
      case "exited": {
        const { worker, code, signal } = event;
        return log[wasExpected(event) ? "info" : "error"](
          { ...fields(worker), code, signal },
          `${identity(worker)} ${endOf(event)}${worker.state === "starting" && wasStarted(event) ? " before it was up" : ""}`,
        );
      }
      case "killed":
        return log.error(
          { ...fields(event.worker), reason: event.reason },
          `${identity(event.worker)} is killed: ${reasons[event.reason]}${event.reason === "cut" ? "" : "; what it is doing follows"}`,
        );
      case "retiring":
        return log.info({ ...fields(event.worker), reason: event.reason }, `${identity(event.worker)} is replaced: ${event.reason}`);
      case "blocked":
        return log.error(
          { ...fields(event.worker), blocked_ms: Math.round(event.ms) },
          `${identity(event.worker)} has stood still for ${Math.round(event.ms)} ms: its stack follows, it is replaced and killed`,
        );
      case "dying-young":
        return log.warn(
          { deaths: event.deaths, delay_ms: event.delayMs },
          `workers keep dying young, ${event.deaths} times by now: the next one is started in ${event.delayMs} ms`,
        );
      case "max-memory-too-low":
        return log.warn(
          { ...fields(event.worker), memory_bytes: event.memoryBytes, max_memory_bytes: event.maxMemoryBytes },
          `max_memory is below what a fresh worker needs: ${identity(event.worker)} has ${megabytes(event.memoryBytes)} already, ` +
            `and so had those before it; max_memory = ${megabytes(event.maxMemoryBytes)} is passed over until the next upgrade`,
        );
      case "upgrade-begun":
        return log.info({ gen: event.generation }, `upgrading to generation ${event.generation}`);
      case "upgraded":
        return log.info(
          { gen: event.generation, ms: Math.round(event.ms) },
          `generation ${event.generation} is up, the one before it is told to stop`,
        );
      case "abandoned":
        return log.error(
          { ...fields(event.worker), reason: event.reason, last_words: words || undefined },
          `generation ${event.generation} is abandoned, the old one serves on: ${identity(event.worker)} ${reasons[event.reason]}`,
        );
      case "resized":
        return log.info({ workers: event.target }, `workers: ${event.target}`);
      case "never-served":
        return log.fatal("none of the workers came up");
      default:
        return event satisfies never;
    }
  };
}

type Exited = Extract<MasterEvent, { type: "exited" }>;

const wasStarted = ({ code, signal }: Pick<Exited, "code" | "signal">): boolean => code !== null || signal !== null;

/** How it ended, as a clause; where the system started no process, there is neither a code nor a signal. */
export function endOf({ code, signal }: Pick<Exited, "code" | "signal">): string {
  if (signal !== null) return `was ended by ${signal}`;
  return wasStarted({ code, signal }) ? `exited with ${code}` : "could not be started";
}

/** A worker that was told to stop, and lost nothing, is nothing to wake up for; SIGUSR2 ends one that has hardly begun. */
export function wasExpected({ worker, code, signal }: Extract<MasterEvent, { type: "exited" }>): boolean {
  return worker.state === "stopping" && (code === 0 || signal === "SIGUSR2");
}

const reasons: Readonly<Record<KillReason | AbandonReason, string>> = {
  start_timeout: "did not come up within start_timeout",
  stop_timeout: "did not stop in time",
  exited: "ended before it was up",
  died: "ended soon after it was up, as others did before",
  cut: "did not cut what it had in time",
};

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}

function fields({ index, generation, pid }: Worker): object {
  return { worker: index, gen: generation, worker_pid: pid };
}

/** The same words in logs and tests: `worker=0 gen=1 pid=4711`. */
export function identity({ index, generation, pid }: Worker): string {
  return `worker=${index} gen=${generation} pid=${pid ?? "none"}`;
}
