import type { MasterEvent } from "@tsserve/master";
import type { LifecycleEvent } from "@tsserve/server";

/** Variables of one message of sd_notify(3), as `NAME=value`. */
export type Assignments = readonly string[];

/** What of a fleet decides over what systemd is told. */
export interface FleetView {
  readonly generation: number;
  /** How many workers there are to be. */
  readonly target: number;
  /** How many serve. */
  readonly up: number;
  readonly isStopping: boolean;
}

/** What is said of a process that serves by itself. */
export function stateOfProcess(event: LifecycleEvent): Assignments | undefined {
  switch (event.type) {
    case "running":
      return ["READY=1", status(`serving on ${event.addresses.join(", ")}`)];
    case "shutdown":
      return ["STOPPING=1", status(event.drainTimeMs === 0 ? "stopping" : "draining, then stopping")];
    case "stopping":
      return [status(`stopping: ${event.requests.length} ${event.requests.length === 1 ? "request" : "requests"} in progress`)];
    default:
      return undefined;
  }
}

/** What is said of a fleet, event by event: ready when all of the first workers are up, reloading while an upgrade lasts. */
export class FleetState {
  #phase: "starting" | "ready" | "reloading" | "stopping" = "starting";
  readonly #where: string;
  readonly #monotonicUs: () => bigint;

  /**
   * @param where the fleet listens, for people
   * @param monotonicUs the time of CLOCK_MONOTONIC in microseconds, which systemd wants to know of a reload
   */
  constructor(where: string, monotonicUs: () => bigint) {
    this.#where = where;
    this.#monotonicUs = monotonicUs;
  }

  after(event: MasterEvent, view: FleetView): Assignments | undefined {
    if (this.#phase === "stopping") return undefined;
    if (view.isStopping) {
      this.#phase = "stopping";
      return ["STOPPING=1", status("stopping")];
    }
    if (this.#phase === "starting") {
      if (view.up < view.target) return undefined;
      this.#phase = "ready";
      return ["READY=1", this.#serving(view)];
    }
    if (event.type === "upgrade-begun") {
      this.#phase = "reloading";
      return ["RELOADING=1", `MONOTONIC_USEC=${this.#monotonicUs()}`, status(`upgrading to generation ${event.generation}`)];
    }
    if (this.#phase === "reloading" && (event.type === "upgraded" || event.type === "abandoned")) {
      this.#phase = "ready";
      return ["READY=1", this.#serving(view, event.type === "abandoned" ? `; generation ${event.generation} was abandoned` : "")];
    }
    if (event.type === "resized") return [this.#serving(view)];
    return undefined;
  }

  #serving({ target, generation }: FleetView, more = ""): string {
    return status(`${target} ${target === 1 ? "worker" : "workers"} of generation ${generation} on ${this.#where}${more}`);
  }
}

const longestStatus = 500;

/** One line, as systemd wants it. */
function status(text: string): string {
  return `STATUS=${text.replaceAll(/\p{Cc}/gu, " ").slice(0, longestStatus)}`;
}
