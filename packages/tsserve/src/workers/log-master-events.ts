import type { MasterEvent, Worker } from "@tsserve/master";
import type { Logger } from "pino";

/** The log is one consumer of what happens to workers. */
export function logMasterEvents(log: Logger): (event: MasterEvent) => void {
  return (event) => {
    switch (event.type) {
      case "spawned":
        return log.info(fields(event.worker), `${identity(event.worker)} started`);
      case "acknowledged":
        return log.info(fields(event.worker), `${identity(event.worker)} is up`);
      case "stopping":
        return log.info(fields(event.worker), `${identity(event.worker)} is told to stop`);
      case "exited": {
        const { worker, code, signal } = event;
        const how = signal === null ? `exited with ${code}` : `was ended by ${signal}`;
        // A worker that was told to stop, and lost nothing, is nothing to wake up for; SIGUSR2 ends one that has hardly begun.
        const level = worker.state === "stopping" && (code === 0 || signal === "SIGUSR2") ? "info" : "error";
        return log[level](
          { ...fields(worker), code, signal },
          `${identity(worker)} ${how}${worker.state === "starting" ? " before it was up" : ""}`,
        );
      }
      case "killed":
        return log.error(
          { ...fields(event.worker), reason: event.reason },
          `${identity(event.worker)} is killed: ${reasons[event.reason] ?? event.reason}; what it is doing follows`,
        );
      case "retiring":
        return log.info({ ...fields(event.worker), reason: event.reason }, `${identity(event.worker)} is replaced: ${event.reason}`);
      case "blocked":
        return log.error(
          { ...fields(event.worker), blocked_ms: Math.round(event.ms) },
          `${identity(event.worker)} has stood still for ${Math.round(event.ms)} ms: its stack follows, it is replaced and killed`,
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
          { ...fields(event.worker), reason: event.reason, last_words: event.words || undefined },
          `generation ${event.generation} is abandoned, the old one serves on: ${identity(event.worker)} ${reasons[event.reason] ?? event.reason}`,
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

const reasons: Readonly<Record<string, string>> = {
  start_timeout: "did not come up within start_timeout",
  stop_timeout: "did not stop in time",
  exited: "ended before it was up",
};

function fields({ index, generation, pid }: Worker): object {
  return { worker: index, gen: generation, worker_pid: pid };
}

/** The same words in logs and tests: `worker=0 gen=1 pid=4711`. */
function identity({ index, generation, pid }: Worker): string {
  return `worker=${index} gen=${generation} pid=${pid ?? "none"}`;
}
