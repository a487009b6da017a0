/**
 * The files in which a worker keeps its numbers, so that others can read them without asking it: what has been written
 * outlives a SIGKILL. There are two for each slot of a worker:
 *
 * - `SLOT.values`: an array of doubles in the machine's own byte order: a head of eight (`head`), then the cells. Each is
 *   written as a whole, and only grows where it counts something: a reader in the middle of a write sees some older cells.
 * - `SLOT.index`: for each series a line, only ever added to: its key, its first cell, and JSON of its help and its
 *   aggregator, with tabs in between. A line that is not finished is not there yet.
 *
 * A new worker in a slot goes on where its predecessor ended: counters continue, gauges are forgotten. So the sum over
 * all slots never decreases, and there are never more files than slots.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import type { Aggregator, Meter, Series } from "@tsserve/server";
import type { Definition, Definitions } from "./definitions.ts";
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

/** A series, and where in a file it is. */
export interface StoredSeries {
  readonly definition: Definition;
  readonly cell: number;
}

/** Reads one line of an index. @throws {CorruptFileError} */
export function parseLine(line: string, definitions: Definitions): StoredSeries {
  const [key = "", cellText = "", rest = ""] = line.split("\t");
  const cell = Number(cellText);
  const definition = definitions.known(key) ?? parseDefinition(key, rest, definitions);
  if (definition === undefined || cellText === "" || !Number.isInteger(cell) || cell < 0 || cell + definition.cells > mostCells)
    throw new CorruptFileError("a line of the index is no series");
  return { definition, cell };
}

function parseDefinition(key: string, rest: string, definitions: Definitions): Definition | undefined {
  try {
    const [help, aggregator] = JSON.parse(rest) as [unknown, Aggregator | null];
    return typeof help === "string" ? definitions.parse(key, help, aggregator ?? undefined) : undefined;
  } catch {
    return undefined;
  }
}

function lineOf({ key, family }: Definition, cell: number): string {
  return `${key}\t${cell}\t${JSON.stringify([family.help, family.aggregator ?? null])}\n`;
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
  readonly #definitions: Definitions;
  #descriptors: { readonly values: number; readonly index: number } | undefined;
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
    definitions: Definitions,
    slot: number | undefined,
    descriptors: { values: number; index: number } | undefined,
    { counted, series }: Predecessor,
  ) {
    this.#definitions = definitions;
    this.slot = slot;
    this.#descriptors = descriptors;
    this.#base = counted;
    this.series = series;
    this.#known = new Map(series.map(({ definition, cell }) => [definition.key, cell]));
    this.#used = counted.length;
    this.#out = new Float64Array(head.length + counted.length);
    this.#out.set(counted, head.length);
    // A gauge is the living's: the successor has its own, or none.
    for (const { definition, cell } of series) if (definition.isGauge) this.#out[head.length + cell] = Number.NaN;
  }

  /** For a process that has no place for files. */
  static inMemory(definitions: Definitions): ValueFile {
    return new ValueFile(definitions, undefined, undefined, nobody());
  }

  /**
   * Takes over the files of a slot.
   *
   * @returns `undefined` when a live process has them
   * @throws {Error} when the files can't be opened
   */
  static open(
    folder: string,
    slot: number,
    definitions: Definitions,
    onCorrupt: (file: string, reason: string) => void,
  ): ValueFile | undefined {
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
      const left = readPredecessor(values, index, definitions);
      if (left !== undefined) return new ValueFile(definitions, slot, { values, index }, left);
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
      return new ValueFile(definitions, slot, { values, index }, nobody());
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

  /** What comes later is not written: the descriptors may be another file's by then. */
  close(): void {
    if (this.#descriptors === undefined) return;
    closeSync(this.#descriptors.values);
    closeSync(this.#descriptors.index);
    this.#descriptors = undefined;
  }

  #describe(meter: Meter): void {
    for (let n = this.#cells.length; n < meter.series.length; n++) {
      const series = meter.series[n] as Series;
      const definition = this.#definitions.of(series);
      let cell = this.#known.get(definition.key);
      if (cell === undefined) {
        cell = this.#used;
        this.#used += series.cells;
        this.#known.set(definition.key, cell);
        this.series.push({ definition, cell });
        this.#pending += lineOf(definition, cell);
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
function readPredecessor(values: number, index: number, definitions: Definitions): Predecessor | undefined {
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
  const lines = finished.split("\n").slice(0, -1);
  const series = lines.map((line) => parseLine(line, definitions));
  const counted = new Float64Array(series.reduce((most, { definition, cell }) => Math.max(most, cell + definition.cells), 0));
  counted.set(cells.subarray(head.length, head.length + counted.length));
  for (const { definition, cell } of series) if (definition.isGauge) counted[cell] = 0;
  return { counted, series };
}
