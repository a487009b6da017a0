import type { Master, MasterEvent } from "@tsserve/master";
import { folderOf, identity, openFolder, removeFolder } from "@tsserve/metrics/folder";
import { noHistory, readHistory, writeFleetReport, type History, type HistoryEvent } from "@tsserve/metrics/history";
import { endOf, wasExpected } from "./log-master-events.ts";

const publishIntervalMs = 1000;
/** A report is written anew so often where nothing has changed: the folder may have been removed. */
const longestSilenceMs = 15_000;
const keptMs = 3_600_000;
const mostEvents = 100;
const mostDetails = 4000;

/** Tells the workers how the fleet is, in their metrics folder: any of them shows it on the page of the metrics. */
export class FleetPublisher {
  #events: HistoryEvent[] = [];
  readonly #parent: string | undefined;
  #folder: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #published = "";
  #publishedAt = 0;

  constructor(parent: string | undefined) {
    this.#parent = parent;
  }

  /** Without a folder nothing is told, which the workers log. One that is removed is made anew. */
  start(master: Pick<Master, "status">): void {
    this.#publish(master);
    this.#timer = setInterval(() => this.#publish(master), publishIntervalMs).unref();
  }

  /** Notes what an operator would ask about; `words` are the last ones of the worker, masked. */
  note(event: MasterEvent, words: string): void {
    const at = Date.now();
    const noted = describe(event);
    if (noted === undefined) return;
    this.#events.push({ at, ...noted, ...(words !== "" && hasWords.has(event.type) && { details: words.slice(-mostDetails) }) });
    this.#events = this.#events.filter((each) => at - each.at < keptMs).slice(-mostEvents);
  }

  /** The last hour of all workers, for `tsserve ctl history`. */
  async history(): Promise<History> {
    const now = Date.now();
    return this.#folder === undefined ? noHistory(now) : await readHistory(this.#folder, now);
  }

  /** The folder goes with its master. */
  end(): void {
    clearInterval(this.#timer);
    removeFolder(folderOf(identity(process.pid), this.#parent));
  }

  #publish(master: Pick<Master, "status">): void {
    const report = { workers: master.status(), events: this.#events };
    const text = JSON.stringify(report);
    if (text === this.#published && performance.now() - this.#publishedAt < longestSilenceMs) return;
    try {
      this.#folder ??= openFolder(identity(process.pid), this.#parent);
      writeFleetReport(this.#folder, report);
      this.#published = text;
      this.#publishedAt = performance.now();
    } catch {
      // A full disk, or a folder that has been removed: the next time, perhaps.
      this.#folder = undefined;
    }
  }
}

const hasWords: ReadonlySet<MasterEvent["type"]> = new Set(["exited", "abandoned"]);

function describe(event: MasterEvent): Omit<HistoryEvent, "at" | "details"> | undefined {
  switch (event.type) {
    case "exited": {
      if (wasExpected(event)) return undefined;
      const { worker } = event;
      return {
        type: "died",
        pid: worker.pid,
        text: `${nameOf(worker)} ${endOf(event)}`,
      };
    }
    case "leaving":
      return { type: "replaced", pid: event.worker.pid, text: `${nameOf(event.worker)} leaves by itself: ${event.reason}` };
    case "retiring":
      return { type: "replaced", pid: event.worker.pid, text: `${nameOf(event.worker)} is replaced: ${event.reason}` };
    case "max-memory-too-low":
      return { type: "replaced", pid: event.worker.pid, text: "max_memory is below what a fresh worker needs" };
    case "killed":
      return { type: "killed", pid: event.worker.pid, text: `${nameOf(event.worker)} is killed: ${event.reason}` };
    case "blocked":
      return {
        type: "blocked",
        pid: event.worker.pid,
        text: `${nameOf(event.worker)} stood still for ${Math.round(event.ms)} ms, and is replaced`,
      };
    case "upgraded":
      return { type: "upgraded", text: `upgraded to generation ${event.generation} in ${Math.round(event.ms)} ms` };
    case "abandoned":
      return { type: "abandoned", text: `the upgrade to generation ${event.generation} was abandoned: ${event.reason}` };
    case "acknowledged":
    case "dying-young":
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

function nameOf({
  index,
  generation,
  pid,
}: {
  readonly index: number;
  readonly generation: number;
  readonly pid: number | undefined;
}): string {
  return `worker ${index} (generation ${generation}, pid ${pid ?? "none"})`;
}
