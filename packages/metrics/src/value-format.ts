/**
 * Files of numbers that others can read without asking who writes them: what has been written outlives a SIGKILL. A worker has
 * one of its counters and histograms, which its successors continue, and each process one of its gauges, which goes with it.
 * Each is two files:
 *
 * - `BASE.v2.values`: an array of doubles in the machine's own byte order: a head of eight (`head`), then the cells. Each is
 *   written as a whole, and only grows where it counts something: a reader in the middle of a write sees some older cells.
 * - `BASE.v2.N.series`: what the cells are. Lines are only ever added; one that is not finished is not there yet.
 *   `D`, a number, a cell and the text of a definition: the cell says which process defined it last.
 *   `S`, a definition's number, a cell and the text of a series.
 *
 * N stands in the head: when a successor leaves out what no code defines any more, it writes both anew, and the values, by
 * taking their name, say at once which list is meant.
 */
import { fstatSync, ftruncateSync, readSync, writeSync } from "node:fs";
import type { MetricFamily } from "@tsserve/server";
import { cellsOf, parseDefinition, type Definition, type Definitions, type SeriesDefinition } from "./definitions.ts";
import { formVersion } from "./file-names.ts";
import type { ProcessIdentity } from "./process-identity.ts";

/** Cells of the head. */
export const head = { magic: 0, pid: 1, startedAt: 2, cells: 3, writtenAt: 4, list: 5, length: 8 } as const;
/** "tsm" and the version of the form. */
export const magic: number = 0x74_73_6d_00 + formVersion;
/** More than this is no file of ours: 128 MB of cells. */
const mostCells = 16 * 1024 * 1024;
/** A process may define a name twice: the later one has the larger number. */
const orderStep = 2 ** -20;

/** What a file of ours does not look like. */
export class CorruptFileError extends Error {
  override readonly name = "CorruptFileError";
}

/** A definition as a file has it: the help is that of its last process. */
export interface StoredDefinition {
  readonly definition: Definition;
  family: MetricFamily;
  readonly id: number;
  /** Where it says who defined it last. */
  readonly cell: number;
}

/** What the cells of a file are. It only grows. */
export interface SeriesList {
  readonly definitions: StoredDefinition[];
  readonly series: SeriesDefinition[];
  /** Where each of the series is. */
  readonly cells: number[];
}

/** What one file says. */
export interface Contribution {
  /** The workers by their indexes, then processes: see `orderOf`. */
  readonly order: number;
  readonly list: SeriesList;
  /** Shorter than the list says when the last ones have not been written yet. */
  readonly values: Float64Array;
  readonly owner: ProcessIdentity;
  /** Gauges of the dead do not count. */
  readonly isAlive: boolean;
}

export function emptyList(): SeriesList {
  return { definitions: [], series: [], cells: [] };
}

/** When a process defined something: the later one has the larger number. Its integer part is the start of the process. */
export function bornAt({ startedAt }: ProcessIdentity, order: number): number {
  return startedAt + order * orderStep;
}

/** Reads one line of a list into it. @throws {CorruptFileError} */
export function parseLine(line: string, list: SeriesList, definitions: Definitions): void {
  const first = line.indexOf("\t", 2);
  const second = line.indexOf("\t", first + 1);
  const id = Number(line.slice(2, first));
  const cell = Number(line.slice(first + 1, second));
  const text = line.slice(second + 1);
  const isSound = first > 2 && second > first + 1 && Number.isInteger(id) && Number.isInteger(cell) && cell >= 0 && cell < mostCells;
  if (isSound && line.startsWith("D\t")) {
    const family = parseDefinition(text);
    const known = list.definitions[id];
    if (family !== undefined && id === list.definitions.length && cellsOf(family) + cell < mostCells) {
      list.definitions.push({ definition: definitions.of(family), family, id, cell });
      return;
    }
    // Its help is another one by now.
    if (family !== undefined && known !== undefined && known.cell === cell && known.definition === definitions.of(family)) {
      known.family = family;
      return;
    }
  }
  const stored = isSound && line.startsWith("S\t") ? list.definitions[id] : undefined;
  const series = stored && definitions.parseSeries(stored.definition, text);
  if (series === undefined || cell + series.cells > mostCells) throw new CorruptFileError("a line of the list is no series");
  list.series.push(series);
  list.cells.push(cell);
}

export function lineOf(kind: "D" | "S", id: number, cell: number, text: string): string {
  return `${kind}\t${id}\t${cell}\t${text}\n`;
}

/** The cells of a file, its head checked. @throws {CorruptFileError} */
export function checkHead(cells: Float64Array): void {
  if (cells.length < head.length || cells[head.magic] !== magic) throw new CorruptFileError("the head is not ours");
  const used = cells[head.cells] ?? Number.NaN;
  if (!Number.isInteger(used) || used < 0 || used > mostCells) throw new CorruptFileError("the head is not ours");
}

export function ownerOf(cells: Float64Array): ProcessIdentity {
  return { pid: cells[head.pid] ?? 0, startedAt: cells[head.startedAt] ?? 0 };
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

/** A part of a line would spoil the next one. */
export function appendWhole(fd: number, text: string): void {
  const { size } = fstatSync(fd);
  const bytes = Buffer.from(text);
  try {
    for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
  } catch (error) {
    ftruncateSync(fd, size);
    throw error;
  }
}
