import { readdirSync } from "node:fs";
import type { Definitions } from "./definitions.ts";
import { ExemplarReader } from "./exemplars.ts";
import { parseFileName } from "./file-names.ts";
import { FolderReader, type FolderContents, type LeftOut } from "./folder-reader.ts";
import type { Keeper, MetricsLog } from "./keeper.ts";
import { Merger, type Merged, type MergedFamily } from "./merge.ts";
import type { ExemplarsOf } from "./print.ts";
import { pause } from "./pause.ts";

/** What is exported at one moment. It stays as it is until whoever asked for it is done. */
export interface Snapshot {
  readonly families: readonly MergedFamily[];
  readonly exemplars: () => ExemplarsOf;
}

interface Question {
  readonly make: (snapshot: Snapshot) => Promise<unknown>;
  readonly answer: Promise<unknown>;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export interface ViewOptions {
  readonly keeper: Keeper;
  readonly definitions: Definitions;
  readonly pid: number;
  readonly log: MetricsLog;
}

/** The numbers of all processes: this one's own, and what the others have written last. */
export class View {
  readonly #options: ViewOptions;
  /** Of the folder, from when there is one. */
  #reader: FolderReader | undefined;
  readonly #merger = new Merger();
  readonly #exemplars = new ExemplarReader();
  readonly #waiting = new Map<string, Question>();
  #isAnswering = false;
  /** Names of which an older definition was found, each told once. */
  readonly #told = new Set<string>();

  constructor(options: ViewOptions) {
    this.#options = options;
  }

  /**
   * Makes something of what is exported now. All who ask for the same kind while they wait share one answer; one is made at a
   * time, with pauses in between, in which requests are served.
   */
  ask<T>(kind: string, make: (snapshot: Snapshot) => Promise<T>): Promise<T> {
    let question = this.#waiting.get(kind);
    if (question === undefined) {
      const { promise, resolve, reject } = withResolvers();
      question = { make, answer: promise, resolve, reject };
      this.#waiting.set(kind, question);
    }
    if (!this.#isAnswering) void this.#answer();
    return question.answer as Promise<T>;
  }

  async #answer(): Promise<void> {
    this.#isAnswering = true;
    while (this.#waiting.size > 0) {
      await pause();
      const questions = [...this.#waiting.values()];
      this.#waiting.clear();
      try {
        const snapshot = await this.#collect();
        for (const { make, resolve, reject } of questions) await make(snapshot).then(resolve, reject);
      } catch (error) {
        for (const { reject } of questions) reject(error);
      }
    }
    this.#isAnswering = false;
  }

  async #collect(): Promise<Snapshot> {
    const { keeper } = this.#options;
    await keeper.copyRegistries();
    await pause();
    keeper.flush();
    const { contributions, leftOut }: FolderContents = (await this.#readerOf(keeper.folder)?.read(keeper.bases)) ?? {
      contributions: [],
      leftOut: none,
    };
    await pause();
    const merged = await this.#merger.merge([...keeper.contributions, ...contributions], pause);
    this.#tell(merged);
    return { families: [...merged.families, ...this.#ownFamilies(leftOut, merged)], exemplars: () => this.#readExemplars() };
  }

  #readerOf(folder: string | undefined): FolderReader | undefined {
    if (folder === undefined) return undefined;
    const { definitions, log } = this.#options;
    this.#reader ??= new FolderReader(folder, definitions, (file, reason) =>
      log.warn({ file, reason }, `${file} is left out of the metrics: ${reason}`),
    );
    return this.#reader;
  }

  #readExemplars(): ExemplarsOf {
    const { folder } = this.#options.keeper;
    if (folder === undefined) return new Map();
    const names = readdirSync(folder).filter((name) => parseFileName(name).kind === "exemplars");
    return this.#exemplars.read(names.map((name) => `${folder}/${name}`));
  }

  #tell({ leftOut }: Merged): void {
    for (const [metric, series] of leftOut) {
      if (this.#told.has(metric)) continue;
      this.#told.add(metric);
      this.#options.log.info(
        { metric, series },
        `${metric} has been defined anew: series of an older definition are left out of the metrics`,
      );
    }
  }

  /** What the exporter says of itself. */
  #ownFamilies(leftOut: Readonly<Record<LeftOut, number>>, merged: Merged): MergedFamily[] {
    const superseded = [...merged.leftOut.values()].reduce((sum, count) => sum + count, 0);
    return [
      gauge(
        "tsserve_exporter_left_out_files",
        "Files in the metrics folder that are not among what is exported.",
        Object.entries(leftOut).map(([reason, count]) => [{ reason }, count] as const),
      ),
      gauge("tsserve_exporter_left_out_series", "Series that are not exported because their name has been defined anew.", [
        [{}, superseded],
      ]),
      gauge("tsserve_exporter_write_errors", "How often this worker could not write its metrics.", [
        [{ pid: String(this.#options.pid) }, this.#options.keeper.writeErrors],
      ]),
    ];
  }
}

type Labelled = readonly [labels: Readonly<Record<string, string>>, value: number];

function gauge(name: string, help: string, values: readonly Labelled[]): MergedFamily {
  const family = { name, help, type: "gauge" } as const;
  return { family, series: values.map(([labels, value]) => ({ family, labels, suffix: "", values: Float64Array.of(value) })) };
}

function withResolvers(): { promise: Promise<unknown>; resolve: (value: unknown) => void; reject: (error: unknown) => void } {
  let resolve: (value: unknown) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<unknown>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

const none = { corrupt: 0, version: 0, foreign: 0, unreadable: 0 };
