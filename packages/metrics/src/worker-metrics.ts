import type { Meter } from "@tsserve/server";
import type { Registry } from "prom-client";
import { PromClientBridge } from "./bridge.ts";
import { Exporter, type Page } from "./exporter.ts";
import { readBlocks, readFleetReport, writeBlock, type Block } from "./journal.ts";
import { overviewOf } from "./overview.ts";
import { metricsPage } from "./page.ts";
import { Definitions } from "./definitions.ts";
import { FolderReader, type LeftOut } from "./folder-reader.ts";
import { identity, openFolder, removeFolder } from "./folder.ts";
import { Merger, type MergedFamily } from "./merge.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import { ValueFile } from "./value-file.ts";

/** A killed worker loses what it has counted since: less than a second. */
const flushIntervalMs = 400;
/** At every second flush. */
const bridgeIntervalMs = 1.5 * flushIntervalMs;
/** How many slots are tried when another process has ours, which no master would allow. */
const slotsTried = 64;

export interface WorkerMetricsOptions {
  readonly meter: Meter;
  /** The pid of the master, or this process's own. */
  readonly masterPid: number;
  readonly slot: number;
  /** Where the folder of these workers is to be; default: where temporary files are. */
  readonly parent: string | undefined;
  /** The prom-client registries that exist by now. */
  registries(): readonly Registry[];
  /** Called before each flush, to set what is only known when asked for. */
  sample(): void;
  /** Whether `/` shows the metrics to people. */
  readonly page: boolean;
  readonly hostname: string;
  readonly log: MetricsLog;
}

export interface MetricsLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** The metrics of one process, and the view of all. */
export class WorkerMetrics {
  readonly exporter: Exporter;
  readonly #options: WorkerMetricsOptions;
  readonly #owner: ProcessIdentity;
  readonly #bridge: PromClientBridge;
  readonly #merger = new Merger();
  #folder: string | undefined;
  readonly #definitions = new Definitions();
  #file = ValueFile.inMemory(this.#definitions);
  #reader: FolderReader | undefined;
  #collecting: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #bridging: Promise<void> | undefined;
  #bridgedAt = 0;
  #failedWrite = false;
  #writeErrors = 0;

  constructor(options: WorkerMetricsOptions) {
    this.#options = options;
    const { log } = options;
    this.#owner = identity(process.pid);
    this.#bridge = new PromClientBridge(options.meter, (metric, err) =>
      log.warn({ err, metric }, `the metric ${metric} can't be collected: its last values are exported`),
    );
    this.exporter = new Exporter({
      collect: (use) => this.collect(use),
      pages: options.page ? this.#pages() : new Map(),
      onError: (err) => log.warn({ err }, "a scrape failed"),
    });
  }

  /** Begins to keep the values where the other workers read them. Goes on without, when there is no place for them. */
  start(): void {
    const { log, masterPid, parent } = this.#options;
    try {
      this.#folder = openFolder(identity(masterPid), parent);
      this.#reader = new FolderReader(this.#folder, this.#definitions, (file, reason) =>
        log.warn({ file, reason }, `${file} is left out of the metrics: ${reason}`),
      );
      this.#openFile(this.#folder);
    } catch (err) {
      log.warn({ err }, `metrics are kept by this process alone: ${(err as Error).message}`);
    }
    this.#tick();
    this.#timer = setInterval(() => this.#tick(), flushIntervalMs).unref();
  }

  /** The last values are written; those who wait for an answer get it. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.exporter.close();
    await this.#copyRegistries();
    this.#flush();
    this.#file.close();
    // Workers leave their folder to their master.
    if (this.#folder !== undefined && this.#options.masterPid === process.pid) removeFolder(this.#folder);
  }

  /**
   * What is exported now: this process's own numbers as they are, the others' as they were written last. One scrape at a
   * time, and with pauses in between, in which requests are served.
   */
  collect<T>(use: (families: readonly MergedFamily[]) => Promise<T>): Promise<T> {
    const collected = this.#collecting.then(async () => use(await this.#collect()));
    this.#collecting = collected.catch(() => undefined);
    return collected;
  }

  async #collect(): Promise<MergedFamily[]> {
    await this.#copyRegistries();
    await pause();
    this.#options.sample();
    this.#flush();
    const { contributions, leftOut } = (await this.#reader?.read(this.#file.slot)) ?? { contributions: [], leftOut: nothing };
    await pause();
    const { slot = this.#options.slot, series, cells } = this.#file;
    const families = this.#merger.merge([{ slot, series, cells, isAlive: true }, ...contributions]);
    await pause();
    return [...families, ...this.#ownFamilies(leftOut)];
  }

  /** A block of the event loop, for the page. */
  addBlock(block: Omit<Block, "pid">): void {
    if (this.#folder === undefined) return;
    try {
      writeBlock(this.#folder, this.#file.slot ?? this.#options.slot, { ...block, pid: process.pid });
    } catch {
      // That the folder can't be written is told elsewhere.
    }
  }

  #pages(): Map<string, Page> {
    const body = (): Promise<string> =>
      this.collect((families) => Promise.resolve(JSON.stringify({ ...overviewOf(families, Date.now()), ...this.#fleet() })));
    return new Map([
      ["/", metricsPage()],
      ["/metrics.json", { contentType: "application/json; charset=utf-8", headers: () => ({ "Cache-Control": "no-store" }), body }],
    ]);
  }

  /** What is no number. Without a master of ours, the workers are those that have written. */
  #fleet(): object {
    const { hostname } = this.#options;
    const report = this.#folder === undefined ? undefined : readFleetReport(this.#folder);
    const alone = { index: this.#options.slot, pid: process.pid, state: "up", age_seconds: Math.round(process.uptime()) };
    const blocks = this.#folder === undefined ? [] : readBlocks(this.#folder, Date.now());
    return { hostname, workers: report?.workers ?? [alone], restarts: report?.restarts ?? [], blocks };
  }

  #openFile(folder: string): void {
    const { slot, log } = this.#options;
    const onCorrupt = (file: string, reason: string): void =>
      log.warn({ file, reason }, `${file} can't be read (${reason}): what earlier workers counted there is lost`);
    for (let tried = 0; tried < slotsTried; tried++) {
      const file = ValueFile.open(folder, slot + tried * 1000, this.#definitions, onCorrupt);
      if (file === undefined) continue;
      this.#file = file;
      return;
    }
    throw new Error(`other processes have all files of slot ${slot} in ${folder}`);
  }

  #tick(): void {
    if (performance.now() - this.#bridgedAt >= bridgeIntervalMs) {
      this.#bridgedAt = performance.now();
      void this.#copyRegistries().then(() => this.#flush());
    }
    this.#options.sample();
    this.#flush();
  }

  /** One at a time. */
  #copyRegistries(): Promise<void> {
    this.#bridging ??= this.#bridge.copy(this.#options.registries()).finally(() => (this.#bridging = undefined));
    return this.#bridging;
  }

  #flush(): void {
    const { meter, log } = this.#options;
    this.#file.update(meter);
    try {
      this.#file.write(this.#owner);
      if (this.#failedWrite) log.info({}, "metrics can be written again");
      this.#failedWrite = false;
    } catch (err) {
      this.#writeErrors += 1;
      if (!this.#failedWrite)
        log.warn({ err }, `metrics can't be written: other workers see old values of this one: ${(err as Error).message}`);
      this.#failedWrite = true;
    }
  }

  /** What the exporter says of itself. */
  #ownFamilies(leftOut: Readonly<Record<LeftOut, number>>): MergedFamily[] {
    const family = {
      name: "tsserve_exporter_left_out_files",
      help: "Files in the metrics folder that are not among what is exported.",
      type: "gauge",
    } as const;
    const errors = {
      name: "tsserve_exporter_write_errors",
      help: "How often this worker could not write its metrics.",
      type: "gauge",
    } as const;
    const { pid } = this.#owner;
    return [
      {
        family,
        series: Object.entries(leftOut).map(([reason, count]) => ({
          family,
          labels: { reason },
          suffix: "",
          values: Float64Array.of(count),
        })),
      },
      {
        family: errors,
        series: [{ family: errors, labels: { pid: String(pid) }, suffix: "", values: Float64Array.of(this.#writeErrors) }],
      },
    ];
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const nothing = { corrupt: 0, foreign: 0, unreadable: 0 };
