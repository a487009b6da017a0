import { closeSync, constants, ftruncateSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { definitionText, seriesText, type Definition, type Definitions, type SeriesDefinition } from "./definitions.ts";
import { listName, parseFileName, unfinished, valuesName } from "./file-names.ts";
import { isAlive, type ProcessIdentity } from "./process-identity.ts";
import {
  appendWhole,
  checkHead,
  CorruptFileError,
  emptyList,
  head,
  lineOf,
  magic,
  ownerOf,
  parseLine,
  readCells,
  type SeriesList,
  type StoredDefinition,
} from "./value-format.ts";

/** How many meanings of a name a file keeps, the newest ones: an upgrade that is taken back goes on where it was. */
const mostMeanings = 3;

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

/** What earlier processes have left in a file. */
export interface Predecessor {
  /** By cell. */
  readonly counted: Float64Array<ArrayBuffer>;
  readonly list: SeriesList;
  /** How many of the cells are in the file. */
  readonly cells: number;
}

export function nobody(): Predecessor {
  return { counted: new Float64Array(0), list: emptyList(), cells: 0 };
}

export interface Descriptors {
  readonly values: number;
  readonly list: number;
  /** The number of the list. */
  readonly number: number;
}

export interface OpenedFiles {
  readonly descriptors: Descriptors;
  readonly predecessor: Predecessor;
}

export const openFlags: number = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;

/**
 * Opens the files of a base, and reads what earlier processes have left in them.
 *
 * @returns `undefined` when a live process has them
 * @throws {Error} when they can't be opened
 */
export function openFiles(options: ValueFileOptions): OpenedFiles | undefined {
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
