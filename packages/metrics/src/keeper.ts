import { readdirSync, rmSync } from "node:fs";
import { isGauge, type Meter } from "@tsserve/server";
import type { Registry } from "prom-client";
import { PromClientBridge } from "./bridge.ts";
import type { Definitions } from "./definitions.ts";
import { exemplarsName, parseFileName, processBase, processOf, workerBase } from "./file-names.ts";
import { isAlive, type ProcessIdentity } from "./process-identity.ts";
import type { ValueFileOptions } from "./open-value-file.ts";
import { ValueFile } from "./value-file.ts";
import type { Contribution } from "./value-format.ts";

/** How many numbers are tried when another process has ours, which no master would allow. */
const numbersTried = 64;
const numberStep = 1000;
/** A file that can't be opened is tried again so often. */
const retryMs = 5000;

export interface MetricsLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface KeeperOptions {
  readonly meter: Meter;
  readonly owner: ProcessIdentity;
  readonly workerIndex: number;
  /** `undefined`: it could not be made yet. */
  readonly folder: string | undefined;
  /** Makes the folder, which could not be made before, or has been removed. @returns where it is @throws {Error} when it can't be made */
  remakeFolder(): string;
  /** Called when the folder could be made after all. */
  readonly onPlaced?: (folder: string) => void;
  readonly definitions: Definitions;
  /** The prom-client registries that exist by now. */
  registries(): readonly Registry[];
  /** Called before each writing, to set what is only known when asked for. */
  sample(): void;
  readonly log: MetricsLog;
}

/** Keeps the numbers of one process in files: counters in that of its worker, gauges in its own. */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #bridge: PromClientBridge;
  /** Used only after it has been made, or found to be ours: others can guess its name. */
  #folder: string | undefined;
  #counters: ValueFile | undefined;
  #gauges: ValueFile | undefined;
  /** What the names of this worker's files begin with: another number than the worker's where somebody has that one's. */
  #base: string;
  /** How many series of the meter have been given to one of the files. */
  #added = 0;
  #bridging: Promise<void> | undefined;
  #bridgingMs = 0;
  #openedAt = -retryMs;
  #hasFailed = false;
  #hasCleaned = false;
  #order = 0;
  readonly #nextOrder = (): number => this.#order++;
  /** How often the numbers could not be written. */
  writeErrors = 0;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#folder = options.folder;
    this.#base = workerBase(options.workerIndex);
    this.#bridge = new PromClientBridge(options.meter, (metric, err) =>
      options.log.warn({ err, metric }, `the metric ${metric} can't be collected: its last values are exported`),
    );
  }

  /** The bases of the files that this process writes. */
  get bases(): ReadonlySet<string> {
    return new Set([this.#base, processBase(this.#options.owner)]);
  }

  get owner(): ProcessIdentity {
    return this.#options.owner;
  }

  /** Where the files are; `undefined` while it can't be made. */
  get folder(): string | undefined {
    return this.#folder;
  }

  /** What the names of the worker's files begin with. */
  get base(): string {
    return this.#base;
  }

  /** What this process exports: never more than is written. */
  get contributions(): Contribution[] {
    return [this.#counters, this.#gauges].flatMap((file) => (file === undefined ? [] : [file.contribution]));
  }

  /** Begins. Without a folder, or while it can't be written, numbers are kept in memory. */
  start(): void {
    this.#open();
    this.flush();
  }

  /** At each beat: what prom-client holds at every second one, where it takes long to collect. */
  beat(turn: number): void {
    if (turn % 2 === 0 || this.#bridgingMs < slowMs) void this.copyRegistries().then(() => this.flush());
    else this.flush();
  }

  /** The last numbers are written; gauges go with their process. */
  async stop(): Promise<void> {
    await this.copyRegistries();
    this.flush();
    this.abandon();
    if (this.#folder !== undefined) removeFiles(this.#folder, processBase(this.#options.owner));
  }

  /** Leaves the files as they are, as a process does that is killed. */
  abandon(): void {
    this.#counters?.close();
    this.#gauges?.close();
  }

  /** One at a time. */
  copyRegistries(): Promise<void> {
    this.#bridging ??= this.#copy().finally(() => (this.#bridging = undefined));
    return this.#bridging;
  }

  async #copy(): Promise<void> {
    const registries = this.#options.registries();
    if (registries.length === 0) return;
    const begun = performance.now();
    await this.#bridge.copy(registries);
    this.#bridgingMs = performance.now() - begun;
  }

  /** Writes what has changed. */
  flush(): void {
    const { meter, log } = this.#options;
    this.#options.sample();
    if (this.#folder === undefined && this.#counters !== undefined) this.#leaveMemory();
    if (this.#counters === undefined) this.#open();
    const folder = this.#folder;
    const { series } = meter;
    const files = { counters: this.#counters, gauges: this.#gauges };
    if (files.counters === undefined || files.gauges === undefined) return;
    for (; this.#added < series.length; this.#added++) {
      const each = series[this.#added] as (typeof series)[number];
      (isGauge(each) ? files.gauges : files.counters).add(each);
    }
    files.counters.update(meter);
    files.gauges.update(meter);
    try {
      if (folder !== undefined) this.#restore(folder, files.counters, files.gauges);
      files.gauges.write();
      files.counters.write();
      if (folder !== undefined) this.#bridge.exemplars.write(`${folder}/${exemplarsName(this.#base)}`);
      if (this.#hasFailed) log.info({}, "metrics can be written again");
      this.#hasFailed = false;
    } catch (err) {
      this.#fail(err as Error);
    }
    if (folder === undefined || this.#hasCleaned) return;
    this.#hasCleaned = true;
    removeDead(folder);
  }

  /** Files of ours may be removed by who cleans a folder for temporary files. */
  #restore(folder: string, ...files: readonly ValueFile[]): void {
    try {
      for (const file of files) file.restore(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      this.#options.remakeFolder();
      for (const file of files) file.restore(folder);
    }
  }

  /** Where the folder can be made by now, the numbers go to files there, on top of what earlier processes have left in them. */
  #leaveMemory(): void {
    if (!this.#isTimeToTry()) return;
    const { owner, remakeFolder, onPlaced, log } = this.#options;
    let gauges: ValueFile | undefined;
    try {
      const folder = remakeFolder();
      gauges = ValueFile.open(this.#fileOptions(folder, processBase(owner)));
      if (gauges === undefined) return;
      this.#counters = this.#openCounters(folder);
      this.#gauges = gauges;
      this.#folder = folder;
      // All series of the meter, anew.
      this.#added = 0;
    } catch {
      // It has been told at the start, and is told when it is over.
      gauges?.close();
      return;
    }
    log.info({ folder: this.#folder }, "metrics are kept where the other workers read them, now that there is a place for them");
    onPlaced?.(this.#folder);
  }

  #isTimeToTry(): boolean {
    const now = performance.now();
    if (now - this.#openedAt < retryMs) return false;
    this.#openedAt = now;
    return true;
  }

  #open(): void {
    const { owner, definitions } = this.#options;
    const folder = this.#folder;
    if (folder === undefined) {
      this.#openedAt = performance.now();
      const nextOrder = this.#nextOrder;
      this.#counters = ValueFile.inMemory({ definitions, owner, nextOrder, base: this.#base });
      this.#gauges = ValueFile.inMemory({ definitions, owner, nextOrder, base: processBase(owner) });
      return;
    }
    if (!this.#isTimeToTry()) return;
    try {
      this.#gauges ??= ValueFile.open(this.#fileOptions(folder, processBase(owner)));
      this.#counters = this.#openCounters(folder);
    } catch (err) {
      this.#fail(err as Error);
    }
  }

  #openCounters(folder: string): ValueFile {
    const { workerIndex } = this.#options;
    for (let tried = 0; tried < numbersTried; tried++) {
      const base = workerBase(workerIndex + tried * numberStep);
      const file = ValueFile.open(this.#fileOptions(folder, base));
      if (file === undefined) continue;
      this.#base = base;
      return file;
    }
    throw new Error(`other processes have all files of worker ${workerIndex} in ${folder}`);
  }

  #fileOptions(folder: string, base: string): ValueFileOptions {
    const { owner, definitions, log } = this.#options;
    const onCorrupt = (file: string, reason: string): void =>
      log.warn({ file, reason }, `${file} can't be read (${reason}): what earlier workers counted there is lost`);
    return { folder, base, owner, definitions, nextOrder: this.#nextOrder, onCorrupt };
  }

  #fail(err: Error): void {
    this.writeErrors += 1;
    if (!this.#hasFailed)
      this.#options.log.warn({ err }, `metrics can't be written: what this worker counts is exported when they can: ${err.message}`);
    this.#hasFailed = true;
  }
}

/** What takes longer than this is done each second. */
const slowMs = 2;

/** The files of gauges whose process has gone. */
function removeDead(folder: string): void {
  try {
    for (const name of readdirSync(folder)) {
      const file = parseFileName(name);
      const owner = file.kind === "values" ? processOf(file) : undefined;
      if (owner !== undefined && !isAlive(owner)) removeFiles(folder, file.base);
    }
  } catch {
    // The next worker does it.
  }
}

/** The values and the series of a base, which its process needs no more. */
function removeFiles(folder: string, base: string): void {
  try {
    for (const name of readdirSync(folder)) {
      const file = parseFileName(name);
      if (file.base === base && (file.kind === "values" || file.kind === "series")) rmSync(`${folder}/${name}`, { force: true });
    }
  } catch {
    // The folder has gone with its master.
  }
}
