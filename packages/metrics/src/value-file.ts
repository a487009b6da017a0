import { closeSync, constants, fstatSync, openSync, statSync, writeSync } from "node:fs";
import type { Meter, MetricFamily, Series } from "@tsserve/server";
import { definitionText, seriesText, type Definition, type Definitions, type SeriesDefinition } from "./definitions.ts";
import { listName, orderOf, valuesName } from "./file-names.ts";
import {
  nobody,
  openFiles,
  openFlags,
  type Descriptors,
  type FileIdentity,
  type Predecessor,
  type ValueFileOptions,
} from "./open-value-file.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import { appendWhole, bornAt, head, lineOf, magic, type Contribution, type SeriesList, type StoredDefinition } from "./value-format.ts";

/** That a folder is still written to shows that its master lives: it may be in another container. */
const longestSilenceMs = 15_000;

/** A meter's numbers on top of what earlier processes have counted, and the files that they are written to. */
export class ValueFile {
  readonly #owner: ProcessIdentity;
  /** What the names of the files begin with. */
  readonly #name: string;
  readonly #order: number;
  readonly #nextOrder: () => number;
  readonly #definitions: Definitions;
  #descriptors: Descriptors | undefined;
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
    descriptors: Descriptors | undefined,
    { counted, list, cells }: Predecessor,
  ) {
    this.#owner = owner;
    this.#name = base;
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

  /**
   * Where somebody has removed the files, such as who cleans a folder for temporary files, all is written anew.
   *
   * @throws {Error} when it can't be
   */
  restore(folder: string): void {
    const before = this.#descriptors;
    const path = `${folder}/${valuesName(this.#name)}`;
    if (before === undefined || isFile(path, before.values)) return;
    const { definitions, series, cells } = this.#list;
    const list = openSync(`${folder}/${listName(this.#name, before.number)}`, openFlags | constants.O_APPEND | constants.O_TRUNC, 0o600);
    try {
      const lines = definitions.map(({ id, cell, family }) => lineOf("D", id, cell, definitionText(family)));
      series.forEach((each, n) => {
        const id = this.#stored.get(each.definition)?.id ?? 0;
        lines.push(lineOf("S", id, cells[n] as number, seriesText(each.suffix, each.labels)));
      });
      appendWhole(list, lines.join(""));
      this.#descriptors = { list, number: before.number, values: openSync(path, openFlags | constants.O_TRUNC, 0o600) };
    } catch (error) {
      closeSync(list);
      throw error;
    }
    closeSync(before.values);
    closeSync(before.list);
    this.#writtenCells = 0;
    this.#writtenAt = -longestSilenceMs;
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

function isFile(path: string, fd: number): boolean {
  try {
    return statSync(path).ino === fstatSync(fd).ino;
  } catch {
    return false;
  }
}
