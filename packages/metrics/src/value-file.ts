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
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import type { Meter, MetricFamily, Series } from "@tsserve/server";
import {
  cellsOf,
  definitionText,
  parseDefinition,
  seriesText,
  type Definition,
  type Definitions,
  type SeriesDefinition,
} from "./definitions.ts";
import { formVersion, listName, orderOf, parseFileName, unfinished, valuesName } from "./file-names.ts";
import { isAlive, type ProcessIdentity } from "./process-identity.ts";

/** Cells of the head. */
export const head = { magic: 0, pid: 1, startedAt: 2, cells: 3, writtenAt: 4, list: 5, length: 8 } as const;
/** "tsm" and the version of the form. */
export const magic: number = 0x74_73_6d_00 + formVersion;
/** More than this is no file of ours: 128 MB of cells. */
const mostCells = 16 * 1024 * 1024;
/** That a folder is still written to shows that its master lives: it may be in another container. */
const longestSilenceMs = 15_000;
/** How many meanings of a name a file keeps, the newest ones: an upgrade that is taken back goes on where it was. */
const mostMeanings = 3;
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

function lineOf(kind: "D" | "S", id: number, cell: number, text: string): string {
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

export interface FileIdentity {
  /** What the names of its files begin with. */
  readonly base: string;
  readonly owner: ProcessIdentity;
  readonly definitions: Definitions;
  /** The number of the next definition that the process makes, in whichever file. */
  readonly nextOrder: () => number;
}

export interface ValueFileOptions extends FileIdentity {
  readonly folder: string;
  /** Called when what earlier processes have counted is lost. */
  onCorrupt(file: string, reason: string): void;
}

/** A meter's numbers on top of what earlier processes have counted, and the files that they are written to. */
export class ValueFile {
  readonly #owner: ProcessIdentity;
  readonly #order: number;
  readonly #nextOrder: () => number;
  readonly #definitions: Definitions;
  #descriptors: { readonly values: number; readonly list: number; readonly number: number } | undefined;
  /** Whoever reads the file knows these. */
  readonly #list: SeriesList;
  readonly #known = new Map<SeriesDefinition, number>();
  readonly #stored = new Map<Definition, StoredDefinition>();
  readonly #defined = new Set<StoredDefinition>();
  /** Where each series of the meter is there, and here. */
  readonly #from: Series[] = [];
  readonly #to: number[] = [];
  /** What earlier processes have counted, by the file's cells. */
  #base: Float64Array<ArrayBuffer>;
  #used: number;
  /** What is to be written: the head and all cells. */
  #out: Float64Array<ArrayBuffer>;
  /** What has been written, and how much of it. */
  #written = new Float64Array(head.length);
  #writtenCells = 0;
  #writtenAt = -longestSilenceMs;
  /** What the list's file lacks. */
  readonly #pending: { readonly line: string; readonly add: () => void }[] = [];

  private constructor(
    { owner, definitions, base, nextOrder }: FileIdentity,
    descriptors: { values: number; list: number; number: number } | undefined,
    { counted, list, cells }: Predecessor,
  ) {
    this.#owner = owner;
    this.#order = orderOf(base);
    this.#nextOrder = nextOrder;
    this.#definitions = definitions;
    this.#descriptors = descriptors;
    this.#list = list;
    list.series.forEach((series, n) => this.#known.set(series, list.cells[n] as number));
    for (const stored of list.definitions) this.#stored.set(stored.definition, stored);
    this.#base = counted;
    this.#used = counted.length;
    this.#out = new Float64Array(head.length + counted.length);
    this.#out.set(counted, head.length);
    // They are there already.
    this.#written = this.#out.slice();
    this.#writtenCells = cells;
  }

  /** For a process that has no place for files. */
  static inMemory(identity: FileIdentity): ValueFile {
    return new ValueFile(identity, undefined, nobody());
  }

  /**
   * Opens the files of a base, and goes on where an earlier process ended.
   *
   * @returns `undefined` when a live process has them
   * @throws {Error} when the files can't be opened
   */
  static open(options: ValueFileOptions): ValueFile | undefined {
    const opened = openFiles(options);
    return opened && new ValueFile(options, opened.descriptors, opened.predecessor);
  }

  /** What has been written by now, and is to be exported: never more, since a full disk and a kill would take it back. */
  get contribution(): Contribution {
    const written = this.#descriptors === undefined ? this.#out : this.#written;
    const cells = this.#descriptors === undefined ? this.#used : this.#writtenCells;
    const values = written.subarray(head.length, head.length + cells);
    return { order: this.#order, list: this.#list, values, owner: this.#owner, isAlive: true };
  }

  /** The next series of the meter that belongs here. */
  add(series: Series): void {
    const stored = this.#define(series.family);
    const definition = this.#definitions.seriesOf(series);
    let cell = this.#known.get(definition);
    if (cell === undefined) {
      const at = this.#reserve(series.cells);
      cell = at;
      this.#known.set(definition, at);
      this.#pending.push({
        line: lineOf("S", stored.id, at, seriesText(series.suffix, series.labels)),
        add: () => void (this.#list.series.push(definition), this.#list.cells.push(at)),
      });
    } else this.#definitions.release([definition]);
    this.#from.push(series);
    this.#to.push(cell);
  }

  /** Takes the meter's numbers as they are now. */
  update({ values }: Pick<Meter, "values">): void {
    const out = this.#out;
    const base = this.#base;
    for (let n = 0; n < this.#to.length; n++) {
      const { cell, cells } = this.#from[n] as Series;
      const to = this.#to[n] as number;
      for (let offset = 0; offset < cells; offset++)
        out[head.length + to + offset] = (base[to + offset] as number) + (values[cell + offset] as number);
    }
    if (this.#descriptors === undefined) this.#addPending();
  }

  /** Writes what has changed. @throws {Error} when it can't be written; the next time tries all of it again */
  write(): void {
    if (this.#descriptors === undefined) return;
    const { values, list, number } = this.#descriptors;
    // A series has its line before it has a value.
    if (this.#pending.length > 0) {
      appendWhole(list, this.#pending.map(({ line }) => line).join(""));
      this.#addPending();
    }
    const out = this.#out;
    out[head.magic] = magic;
    out[head.pid] = this.#owner.pid;
    out[head.startedAt] = this.#owner.startedAt;
    out[head.cells] = this.#used;
    out[head.list] = number;
    const now = performance.now();
    const length = head.length + this.#used;
    if (now - this.#writtenAt < longestSilenceMs && this.#writtenCells === this.#used && isSame(out, this.#written, length)) return;
    out[head.writtenAt] = Date.now();
    this.#written = grown(this.#written, length);
    for (let done = 0; done < length;) {
      // A disk may be full in the middle: what has been written is known.
      const bytes = writeSync(
        values,
        out,
        done * Float64Array.BYTES_PER_ELEMENT,
        (length - done) * Float64Array.BYTES_PER_ELEMENT,
        done * Float64Array.BYTES_PER_ELEMENT,
      );
      const end = done + Math.floor(bytes / Float64Array.BYTES_PER_ELEMENT);
      this.#written.set(out.subarray(done, end), done);
      this.#writtenCells = Math.max(this.#writtenCells, end - head.length);
      done = end;
    }
    this.#writtenAt = now;
  }

  /** What comes later is not written: the descriptors may be another file's by then. */
  close(): void {
    if (this.#descriptors === undefined) return;
    closeSync(this.#descriptors.values);
    closeSync(this.#descriptors.list);
    this.#descriptors = undefined;
  }

  /** That this process defines it, once. */
  #define(family: MetricFamily): StoredDefinition {
    const definition = this.#definitions.of(family);
    let stored = this.#stored.get(definition);
    if (stored === undefined) {
      const made: StoredDefinition = { definition, family, id: this.#stored.size, cell: this.#reserve(1) };
      stored = made;
      this.#stored.set(definition, made);
      this.#pending.push({ line: lineOf("D", made.id, made.cell, definitionText(family)), add: () => this.#list.definitions.push(made) });
    } else if (!this.#defined.has(stored) && definitionText(stored.family) !== definitionText(family)) {
      stored.family = family;
      this.#pending.push({ line: lineOf("D", stored.id, stored.cell, definitionText(family)), add: () => undefined });
    }
    if (!this.#defined.has(stored)) {
      this.#out[head.length + stored.cell] = bornAt(this.#owner, this.#nextOrder());
      this.#defined.add(stored);
    }
    return stored;
  }

  #reserve(cells: number): number {
    const cell = this.#used;
    this.#used += cells;
    this.#out = grown(this.#out, head.length + this.#used);
    this.#base = grown(this.#base, this.#used);
    return cell;
  }

  #addPending(): void {
    for (const { add } of this.#pending.splice(0)) add();
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

function grown(array: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  if (array.length >= length) return array;
  const larger = new Float64Array(Math.max(length, array.length * 2));
  larger.set(array);
  return larger;
}

/** The time of writing aside. `NaN` is the same as itself. */
function isSame(one: Float64Array, other: Float64Array, length: number): boolean {
  for (let n = 0; n < length; n++) {
    const value = one[n] as number;
    if (value !== other[n] && n !== head.writtenAt && !(Number.isNaN(value) && Number.isNaN(other[n]))) return false;
  }
  return true;
}

interface Predecessor {
  /** By cell. */
  readonly counted: Float64Array<ArrayBuffer>;
  readonly list: SeriesList;
  /** How many of the cells are in the file. */
  readonly cells: number;
}

function nobody(): Predecessor {
  return { counted: new Float64Array(0), list: emptyList(), cells: 0 };
}

interface OpenedFiles {
  readonly descriptors: { readonly values: number; readonly list: number; readonly number: number };
  readonly predecessor: Predecessor;
}

const openFlags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

/** @returns `undefined` when a live process has them */
function openFiles(options: ValueFileOptions): OpenedFiles | undefined {
  const { folder, base, owner, definitions, onCorrupt } = options;
  const path = `${folder}/${valuesName(base)}`;
  const opened: number[] = [];
  const open = (name: string, flags: number): number => {
    const fd = openSync(name, flags, 0o600);
    opened.push(fd);
    return fd;
  };
  try {
    const values = open(path, openFlags);
    const begun = (number: number, predecessor: Predecessor): OpenedFiles => {
      const list = open(`${folder}/${listName(base, number)}`, openFlags | constants.O_APPEND);
      if (predecessor.list.definitions.length === 0) ftruncateSync(list, 0);
      removeOtherLists(folder, base, number);
      return { descriptors: { values, list, number }, predecessor };
    };
    try {
      const cells = readCells(values);
      if (cells.length === 0) return begun(1, nobody());
      checkHead(cells);
      const before = ownerOf(cells);
      if ((before.pid !== owner.pid || before.startedAt !== owner.startedAt) && isAlive(before)) {
        for (const fd of opened) closeSync(fd);
        return undefined;
      }
      const number = cells[head.list] ?? 1;
      const predecessor = readPredecessor(cells, `${folder}/${listName(base, number)}`, definitions);
      const compacted = compact(predecessor, number + 1, options);
      if (compacted === undefined) return begun(number, predecessor);
      closeSync(opened.pop() as number);
      removeOtherLists(folder, base, number + 1);
      return compacted;
    } catch (error) {
      if (!(error instanceof CorruptFileError)) throw error;
      onCorrupt(path, error.message);
      ftruncateSync(values, 0);
      return begun(1, nobody());
    }
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    throw error;
  }
}

/** @throws {CorruptFileError} */
function readPredecessor(cells: Float64Array, listPath: string, definitions: Definitions): Predecessor {
  let text: string;
  try {
    text = readFileSync(listPath, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw new CorruptFileError("its list of series is not there");
    throw error;
  }
  const finished = text.slice(0, text.lastIndexOf("\n") + 1);
  if (finished.length < text.length) {
    const fd = openSync(listPath, constants.O_WRONLY | constants.O_NOFOLLOW);
    ftruncateSync(fd, Buffer.byteLength(finished));
    closeSync(fd);
  }
  const list = emptyList();
  try {
    for (const line of finished.split("\n").slice(0, -1)) parseLine(line, list, definitions);
  } catch (error) {
    definitions.release(list.series);
    throw error;
  }
  let length = 0;
  list.series.forEach((series, n) => (length = Math.max(length, (list.cells[n] as number) + series.cells)));
  for (const { cell } of list.definitions) length = Math.max(length, cell + 1);
  const counted = new Float64Array(length);
  const written = cells.subarray(head.length, head.length + Math.min(length, cells[head.cells] ?? 0));
  counted.set(written);
  return { counted, list, cells: written.length };
}

/**
 * Leaves out what no code has defined for a while: of each name, the newest meanings are kept.
 *
 * @returns `undefined` where there is nothing to be left out, or no room for the new files
 */
function compact({ counted, list, cells }: Predecessor, number: number, options: ValueFileOptions): OpenedFiles | undefined {
  const { folder, base, definitions, owner } = options;
  const meanings = new Map<string, StoredDefinition[]>();
  for (const stored of list.definitions) {
    const others = meanings.get(stored.definition.name) ?? [];
    others.push(stored);
    meanings.set(stored.definition.name, others);
  }
  const kept = new Map<Definition, StoredDefinition>();
  const out: number[] = [];
  let text = "";
  const keep = emptyList();
  for (const each of meanings.values()) {
    each.sort((a, b) => (counted[b.cell] as number) - (counted[a.cell] as number));
    for (const { definition, family, cell } of each.slice(0, mostMeanings)) {
      const stored = { definition, family, id: kept.size, cell: out.length };
      kept.set(definition, stored);
      keep.definitions.push(stored);
      out.push(counted[cell] as number);
      text += lineOf("D", stored.id, stored.cell, definitionText(family));
    }
  }
  if (kept.size === list.definitions.length) return undefined;
  const left: SeriesDefinition[] = [];
  list.series.forEach((series, n) => {
    const stored = kept.get(series.definition);
    const cell = list.cells[n] as number;
    if (stored === undefined || cell + series.cells > cells) {
      left.push(series);
      return;
    }
    keep.series.push(series);
    keep.cells.push(out.length);
    text += lineOf("S", stored.id, out.length, seriesText(series.suffix, series.labels));
    for (let offset = 0; offset < series.cells; offset++) out.push(counted[cell + offset] as number);
  });
  const headCells = new Float64Array(head.length);
  headCells.set([magic, owner.pid, owner.startedAt, out.length, Date.now(), number]);
  const descriptors: number[] = [];
  const path = `${folder}/${valuesName(base)}`;
  try {
    const listFd = openSync(`${folder}/${listName(base, number)}`, openFlags | constants.O_APPEND | constants.O_TRUNC, 0o600);
    descriptors.push(listFd);
    appendWhole(listFd, text);
    const values = openSync(unfinished(path), openFlags | constants.O_TRUNC, 0o600);
    descriptors.push(values);
    const bytes = Buffer.from(Float64Array.of(...headCells, ...out).buffer);
    if (writeSync(values, bytes, 0, bytes.length, 0) < bytes.length) throw new Error("there is no room");
    renameSync(unfinished(path), path);
    definitions.release(left);
    return {
      descriptors: { values, list: listFd, number },
      predecessor: { counted: Float64Array.from(out), list: keep, cells: out.length },
    };
  } catch {
    for (const fd of descriptors) closeSync(fd);
    rmSync(unfinished(path), { force: true });
    rmSync(`${folder}/${listName(base, number)}`, { force: true });
    return undefined;
  }
}

function removeOtherLists(folder: string, base: string, number: number): void {
  for (const name of readdirSync(folder)) {
    const file = parseFileName(name);
    if (file.kind === "series" && file.base === base && name !== listName(base, number)) rmSync(`${folder}/${name}`, { force: true });
  }
}
