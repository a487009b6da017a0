import { tmpdir } from "node:os";
import type { ActiveRequests, Health, Meter, PageAccess } from "@tsserve/server";
import type { Registry } from "prom-client";
import { Definitions } from "./definitions.ts";
import { Exporter } from "./exporter.ts";
import { identity, keepFolder, openFolder, removeFolder, touchFiles } from "./folder.ts";
import type { HistoryEvent } from "./history/events.ts";
import { readFleetReport } from "./history/fleet-report.ts";
import { Historian } from "./history/historian.ts";
import { pointMs } from "./history/points.ts";
import { noHistory, readHistory, type History } from "./history/read-history.ts";
import { Keeper, type MetricsLog } from "./keeper.ts";
import { pagesOf } from "./pages.ts";
import { beatMs, Pulse } from "./pulse.ts";
import { View } from "./view.ts";

const touchMs = 3_600_000;

export interface WorkerMetricsOptions {
  readonly meter: Meter;
  /** The pid of the master, or this process's own. */
  readonly masterPid: number;
  /** The number that the worker's master gave it; 0 for a single process. */
  readonly workerIndex: number;
  /** Where the folder of these workers is to be; default: where temporary files are. */
  readonly parent: string | undefined;
  /** The prom-client registries that exist by now. */
  registries(): readonly Registry[];
  /** Called before each writing, to set what is only known when asked for. */
  sample(): void;
  /** Who is shown the page at `/`. */
  readonly page: PageAccess;
  /** What `/health` is answered by; without it, nothing is there. */
  readonly health?: Pick<Health, "answer"> | undefined;
  readonly hostname: string;
  /** What is in progress: kept for whoever asks after this process has died. */
  readonly requests: ActiveRequests;
  /** Takes secrets out of what is kept and shown. */
  mask(text: string): string;
  readonly log: MetricsLog;
}

/** The metrics of one process, and the view of all. */
export class WorkerMetrics {
  readonly exporter: Exporter;
  /** What is done again and again is done at its beats. */
  readonly pulse: Pulse;
  readonly #options: WorkerMetricsOptions;
  readonly #keeper: Keeper;
  #historian: Historian | undefined;
  #wantsHistory = false;

  constructor(options: WorkerMetricsOptions) {
    const { log, meter, workerIndex } = options;
    this.#options = options;
    const definitions = new Definitions();
    const owner = identity(process.pid);
    const keepParent = keepFolder(options.parent ?? tmpdir());
    this.#keeper = new Keeper({
      meter,
      owner,
      workerIndex,
      folder: folderFor(options),
      remakeFolder: () => {
        keepParent();
        return openFolder(identity(options.masterPid), options.parent);
      },
      onPlaced: (folder) => this.#keepHistory(folder),
      definitions,
      registries: () => options.registries(),
      sample: () => options.sample(),
      log,
    });
    const view = new View({ keeper: this.#keeper, definitions, pid: owner.pid, log });
    this.pulse = new Pulse((task, err) => log.warn({ err, reporter: task }, `the reporter ${task} failed: ${(err as Error).message}`));
    this.exporter = new Exporter({
      pages: pagesOf({
        view,
        access: options.page,
        health: options.health,
        fleet: () => this.#fleet(),
        history: (since) => this.#history(since),
      }),
      onError: (err) => log.warn({ err }, "a scrape failed"),
    });
  }

  /** Begins to keep the values where the other workers read them. Goes on without, when there is no place for them. */
  start(): void {
    this.#keeper.start();
    let turn = 0;
    this.pulse.every("keeping metrics", beatMs, () => this.#keeper.beat(turn++));
    this.pulse.start();
  }

  /** Begins to keep the last hour. After the reporters: what they have set is kept at the same beat. */
  startHistory(): void {
    this.#wantsHistory = true;
    const { folder } = this.#keeper;
    if (folder !== undefined) this.#keepHistory(folder);
  }

  /** From when there is a place for it. */
  #keepHistory(folder: string): void {
    if (!this.#wantsHistory || this.#historian !== undefined) return;
    const { meter, requests, workerIndex, mask } = this.#options;
    const { base, owner } = this.#keeper;
    const historian = new Historian({ meter, requests, owner, workerIndex, folder, base, mask }, Date.now());
    this.#historian = historian;
    this.pulse.every("the last second", 1000, (now) => historian.second(now));
    this.pulse.every("the record of this process", beatMs, (now) => unlessToldElsewhere(() => historian.beat(now)));
    // Who cleans a folder for temporary files goes by when a file was used last.
    this.pulse.every("files that are kept", touchMs, (now) => unlessToldElsewhere(() => touchFiles(folder, now)));
    this.pulse.every("the last hour", pointMs, (now) => unlessToldElsewhere(() => historian.point(now)));
  }

  /** Notes what happened, for the last hour. */
  note(event: Omit<HistoryEvent, "pid">): void {
    try {
      this.#historian?.add({ ...event, pid: process.pid });
    } catch {
      // That the folder can't be written is told elsewhere.
    }
  }

  /** The last values are written; those who wait for an answer get it. */
  async stop(): Promise<void> {
    this.pulse.stop();
    await this.exporter.close();
    await this.#keeper.stop();
    try {
      this.#historian?.stop(Date.now());
    } catch {
      // That the folder can't be written is told elsewhere.
    }
    // Workers leave their folder to their master.
    const { folder } = this.#keeper;
    if (folder !== undefined && this.#options.masterPid === process.pid) removeFolder(folder);
  }

  /** What is no number. Without a master of ours, the workers are those that have written. */
  #fleet(): object {
    const { hostname } = this.#options;
    const { folder } = this.#keeper;
    const report = folder === undefined ? undefined : readFleetReport(folder);
    const alone = { index: this.#options.workerIndex, pid: process.pid, state: "up", age_seconds: Math.round(process.uptime()) };
    return { hostname, workers: report?.workers ?? [alone] };
  }

  async #history(since: number): Promise<History> {
    const now = Date.now();
    const { folder } = this.#keeper;
    return folder === undefined ? noHistory(now) : await readHistory(folder, now, since);
  }
}

/** What a disk says that is full or broken, and a folder that has gone. */
const ofDisks: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EIO", "EROFS", "ENOENT"]);

/** The keeper writes to the same folder at every beat, and tells once that it can't be written: one line is enough. */
function unlessToldElsewhere(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!ofDisks.has((error as NodeJS.ErrnoException).code)) throw error;
  }
}

function folderFor({ masterPid, parent, log }: WorkerMetricsOptions): string | undefined {
  try {
    return openFolder(identity(masterPid), parent);
  } catch (err) {
    log.warn({ err }, `metrics are kept by this process alone until their folder can be made: ${(err as Error).message}`);
    return undefined;
  }
}
