/**
 * The files in which a worker keeps its numbers, so that others can read them without asking it: what has been written
 * outlives a SIGKILL. There are two for each slot of a worker:
 *
 * - `SLOT.values`: an array of doubles in the machine's own byte order: a head of eight (`head`), then the cells. Each is
 *   written as a whole, and only grows where it counts something: a reader in the middle of a write sees some older cells.
 * - `SLOT.index`: for each series a line of JSON, only ever added to: `[cell, cells, name, type, labels, suffix, help,
 *   aggregator, buckets]`. A line that is not finished is not there yet.
 *
 * A new worker in a slot goes on where its predecessor ended: counters continue, gauges are forgotten. So the sum over
 * all slots never decreases, and there are never more files than slots.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { isGauge, seriesKey, type Aggregator, type Labels, type Meter, type MetricFamily, type Series } from "@tsserve/server";
import { isAlive, type ProcessIdentity } from "./process-identity.ts";

/** Cells of the head. */
export const head = { magic: 0, pid: 1, startedAt: 2, cells: 3, writtenAt: 4, length: 8 } as const;
/** "tsm" and the version of the form. */
export const magic = 0x74_73_6d_01;
/** More than this is no index of ours: 128 MB of cells. */
const mostCells = 16 * 1024 * 1024;

/** What a file of ours does not look like. */
export class CorruptFileError extends Error {
  override readonly name = "CorruptFileError";
}

export interface StoredSeries extends Series {
  readonly key: string;
}

type IndexLine = readonly [
  cell: number,
  cells: number,
  name: string,
  type: MetricFamily["type"],
  labels: Labels,
  suffix: string,
  help: string,
  aggregator: Aggregator | null,
  buckets: readonly number[] | null,
];

const types: ReadonlySet<unknown> = new Set(["counter", "gauge", "histogram", "summary"]);

/** Reads finished lines of an index. @throws {CorruptFileError} */
export function parseIndex(text: string, families: Map<string, MetricFamily>): StoredSeries[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => parseLine(line, families));
}

function parseLine(line: string, families: Map<string, MetricFamily>): StoredSeries {
  let parsed: IndexLine;
  try {
    parsed = JSON.parse(line) as IndexLine;
  } catch {
    throw new CorruptFileError("a line of the index is no JSON");
  }
  if (!Array.isArray(parsed) || parsed.length !== 9) throw new CorruptFileError("a line of the index is no series");
  const [cell, cells, name, type, labels, suffix, help, aggregator, buckets] = parsed;
  const isSound =
    Number.isInteger(cell) &&
    cell >= 0 &&
    cell + cells <= mostCells &&
    cells === (type === "histogram" ? (buckets?.length ?? 0) + 2 : 1) &&
    typeof name === "string" &&
    types.has(type) &&
    typeof labels === "object" &&
    labels !== null;
  if (!isSound) throw new CorruptFileError("a line of the index is no series");
  // Families are shared: there are few, and each has many series.
  const familyKey = `${name} ${type} ${aggregator} ${buckets?.join(",") ?? ""}`;
  let family = families.get(familyKey);
  if (family === undefined) {
    family = { name, help, type, ...(aggregator === null ? {} : { aggregator }), ...(buckets === null ? {} : { buckets }) };
    families.set(familyKey, family);
  }
  return { family, labels, suffix, cell, cells, key: seriesKey(family, labels, suffix) };
}

function lineOf({ family, labels, suffix, cells }: Series, cell: number): string {
  const { name, type, help, aggregator, buckets } = family;
  const line: IndexLine = [cell, cells, name, type, labels, suffix, help, aggregator ?? null, buckets ?? null];
  return `${JSON.stringify(line)}\n`;
}

/** The cells of a file, its head checked. @throws {CorruptFileError} */
export function checkHead(cells: Float64Array): void {
  if (cells.length < head.length || cells[head.magic] !== magic) throw new CorruptFileError("the head is not ours");
  const used = cells[head.cells] ?? Number.NaN;
  if (!Number.isInteger(used) || used < 0 || used > mostCells) throw new CorruptFileError("the head is not ours");
}

/** Reads as many doubles as a file has. */
export function readCells(fd: number, into: Float64Array = new Float64Array(0)): Float64Array {
  const { size } = fstatSync(fd);
  const count = Math.floor(size / Float64Array.BYTES_PER_ELEMENT);
  if (count > mostCells + head.length) throw new CorruptFileError("the file is too large");
  const cells = into.length >= count ? into : new Float64Array(count);
  const bytes = readSync(fd, cells, 0, count * Float64Array.BYTES_PER_ELEMENT, 0);
  return cells.subarray(0, Math.floor(bytes / Float64Array.BYTES_PER_ELEMENT));
}

/** A meter's numbers on top of what earlier workers of the slot have counted, and the files that they are written to. */
export class ValueFile {
  /** All that are in the file, those that only earlier workers had among them. It only grows. */
  readonly series: StoredSeries[];
  readonly slot: number | undefined;
  readonly #descriptors: { readonly values: number; readonly index: number } | undefined;
  /** What earlier workers have counted, by the file's cells. */
  #base: Float64Array;
  /** Where each series of the meter is in the file. */
  readonly #cells: number[] = [];
  readonly #known: Map<string, number>;
  #used: number;
  /** What is written: the head and all cells. */
  #out: Float64Array;
  /** Lines that the index lacks. */
  #pending = "";

  private constructor(
    slot: number | undefined,
    descriptors: { values: number; index: number } | undefined,
    { counted, series }: Predecessor,
  ) {
    this.slot = slot;
    this.#descriptors = descriptors;
    this.#base = counted;
    this.series = series;
    this.#known = new Map(series.map(({ key, cell }) => [key, cell]));
    this.#used = counted.length;
    this.#out = new Float64Array(head.length + counted.length);
    this.#out.set(counted, head.length);
    // A gauge is the living's: the successor has its own, or none.
    for (const each of series) if (isGauge(each)) this.#out[head.length + each.cell] = Number.NaN;
  }

  /** For a process that has no place for files. */
  static inMemory(): ValueFile {
    return new ValueFile(undefined, undefined, nobody());
  }

  /**
   * Takes over the files of a slot.
   *
   * @returns `undefined` when a live process has them
   * @throws {Error} when the files can't be opened
   */
  static open(folder: string, slot: number, onCorrupt: (file: string, reason: string) => void): ValueFile | undefined {
    const path = `${folder}/${slot}`;
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
    const values = openSync(`${path}.values`, flags, 0o600);
    let index = -1;
    const close = (): void => {
      closeSync(values);
      if (index !== -1) closeSync(index);
    };
    try {
      index = openSync(`${path}.index`, flags | constants.O_APPEND, 0o600);
      const left = readPredecessor(values, index);
      if (left !== undefined) return new ValueFile(slot, { values, index }, left);
      close();
      return undefined;
    } catch (error) {
      if (!(error instanceof CorruptFileError)) {
        close();
        throw error;
      }
      onCorrupt(path, error.message);
      ftruncateSync(values, 0);
      ftruncateSync(index, 0);
      return new ValueFile(slot, { values, index }, nobody());
    }
  }

  /** What the process has counted together with its predecessors, by the cells of `series`. */
  get cells(): Float64Array {
    return this.#out.subarray(head.length);
  }

  /** Takes the meter's numbers as they are now. */
  update(meter: Meter): void {
    this.#describe(meter);
    const { values, series } = meter;
    const out = this.#out;
    const base = this.#base;
    for (let n = 0; n < this.#cells.length; n++) {
      const { cell, cells } = series[n] as Series;
      const to = this.#cells[n] as number;
      for (let offset = 0; offset < cells; offset++)
        out[head.length + to + offset] = (base[to + offset] as number) + (values[cell + offset] as number);
    }
  }

  /** @throws {Error} when it can't be written; the next time tries all of it again */
  write(owner: ProcessIdentity): void {
    if (this.#descriptors === undefined) return;
    const { values, index } = this.#descriptors;
    // A series has its line before it has a value.
    if (this.#pending !== "") appendWhole(index, this.#pending);
    this.#pending = "";
    const out = this.#out;
    out[head.magic] = magic;
    out[head.pid] = owner.pid;
    out[head.startedAt] = owner.startedAt;
    out[head.cells] = this.#used;
    out[head.writtenAt] = Date.now();
    writeSync(values, out, 0, (head.length + this.#used) * Float64Array.BYTES_PER_ELEMENT, 0);
  }

  close(): void {
    if (this.#descriptors === undefined) return;
    closeSync(this.#descriptors.values);
    closeSync(this.#descriptors.index);
  }

  #describe(meter: Meter): void {
    for (let n = this.#cells.length; n < meter.series.length; n++) {
      const series = meter.series[n] as Series;
      const key = seriesKey(series.family, series.labels, series.suffix);
      let cell = this.#known.get(key);
      if (cell === undefined) {
        cell = this.#used;
        this.#used += series.cells;
        this.#known.set(key, cell);
        this.series.push({ ...series, cell, key });
        this.#pending += lineOf(series, cell);
      }
      this.#cells.push(cell);
    }
    this.#out = grown(this.#out, head.length + this.#used);
    this.#base = grown(this.#base, this.#used);
  }
}

/** A part of a line would spoil the next one. */
function appendWhole(fd: number, text: string): void {
  const { size } = fstatSync(fd);
  const bytes = Buffer.from(text);
  try {
    for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
  } catch (error) {
    ftruncateSync(fd, size);
    throw error;
  }
}

function grown(array: Float64Array, length: number): Float64Array {
  if (array.length >= length) return array;
  const larger = new Float64Array(Math.max(length, array.length * 2));
  larger.set(array);
  return larger;
}

interface Predecessor {
  /** By cell; zero for gauges. */
  readonly counted: Float64Array;
  readonly series: StoredSeries[];
}

function nobody(): Predecessor {
  return { counted: new Float64Array(0), series: [] };
}

/** @returns `undefined` when it is alive */
function readPredecessor(values: number, index: number): Predecessor | undefined {
  const cells = readCells(values);
  const text = readFileSync(index, "utf8");
  if (cells.length === 0) {
    if (text !== "") ftruncateSync(index, 0);
    return nobody();
  }
  checkHead(cells);
  const owner = { pid: cells[head.pid] ?? 0, startedAt: cells[head.startedAt] ?? 0 };
  if (owner.pid !== process.pid && isAlive(owner)) return undefined;
  const finished = text.slice(0, text.lastIndexOf("\n") + 1);
  if (finished.length < text.length) ftruncateSync(index, Buffer.byteLength(finished));
  const series = parseIndex(finished, new Map());
  const counted = new Float64Array(series.reduce((most, { cell, cells: count }) => Math.max(most, cell + count), 0));
  counted.set(cells.subarray(head.length, head.length + counted.length));
  for (const each of series) if (isGauge(each)) counted[each.cell] = 0;
  return { counted, series };
}
