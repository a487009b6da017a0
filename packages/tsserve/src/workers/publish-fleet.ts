import { writeFileSync } from "node:fs";
import type { Master, MasterEvent } from "@tsserve/master";
import { wasExpected } from "./log-master-events.ts";
import { folderOf, identity, openFolder, removeFolder } from "@tsserve/metrics/folder";

const publishIntervalMs = 1000;
const keptMs = 3_600_000;
const mostRestarts = 100;

/** Tells the workers how the fleet is, in their metrics folder: any of them shows it on the page of the metrics. */
export class FleetPublisher {
  readonly #restarts: { readonly at: number; readonly what: string; readonly words: string }[] = [];
  readonly #parent: string | undefined;
  #folder: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(parent: string | undefined) {
    this.#parent = parent;
  }

  /** Without a folder nothing is told, which the workers log. One that is removed is made anew. */
  start(master: Master): void {
    this.#publish(master);
    this.#timer = setInterval(() => this.#publish(master), publishIntervalMs).unref();
  }

  /** Notes what an operator would ask about; `words` are the last ones of the worker, masked. */
  note(event: MasterEvent, words: string): void {
    const what = describe(event);
    if (what === undefined) return;
    this.#restarts.push({ at: Date.now(), what, words });
    if (this.#restarts.length > mostRestarts) this.#restarts.shift();
  }

  #publish(master: Master): void {
    const restarts = this.#restarts.filter(({ at }) => Date.now() - at < keptMs).reverse();
    try {
      this.#folder ??= openFolder(identity(process.pid), this.#parent);
      writeFileSync(`${this.#folder}/master.json`, JSON.stringify({ workers: master.status(), restarts }), { mode: 0o600 });
    } catch {
      // A full disk, or a folder that has been removed: the next time, perhaps.
      this.#folder = undefined;
    }
  }

  /** The folder goes with its master. */
  end(): void {
    clearInterval(this.#timer);
    removeFolder(folderOf(identity(process.pid), this.#parent));
  }
}

function describe(event: MasterEvent): string | undefined {
  switch (event.type) {
    case "exited": {
      if (wasExpected(event)) return undefined;
      const { worker, code, signal } = event;
      return `worker ${worker.index} (generation ${worker.generation}, pid ${worker.pid}) ${signal === null ? `exited with ${code}` : `was ended by ${signal}`}`;
    }
    case "leaving":
      return `worker ${event.worker.index} (pid ${event.worker.pid}) leaves by itself: ${event.reason}`;
    case "max-memory-too-low":
      return `max_memory is below what a fresh worker needs`;
    case "retiring":
      return `worker ${event.worker.index} (pid ${event.worker.pid}) is replaced: ${event.reason}`;
    case "upgraded":
      return `upgraded to generation ${event.generation} in ${Math.round(event.ms)} ms`;
    case "abandoned":
      return `generation ${event.generation} was abandoned`;
    case "acknowledged":
    case "blocked":
    case "dying-young":
    case "killed":
    case "never-served":
    case "resized":
    case "spawned":
    case "stopping":
    case "upgrade-begun":
      return undefined;
    default:
      return event satisfies never;
  }
}
