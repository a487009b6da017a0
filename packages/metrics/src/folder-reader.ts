import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import type { Definitions } from "./definitions.ts";
import { listName, orderOf, parseFileName, processOf, valuesName } from "./file-names.ts";
import { isAlive } from "./process-identity.ts";
import {
  checkHead,
  CorruptFileError,
  emptyList,
  head,
  ownerOf,
  parseLine,
  readCells,
  type Contribution,
  type SeriesList,
} from "./value-format.ts";
import { pause } from "./pause.ts";

/** Why a file is not among what is exported: it is broken, of another version of tsserve, nobody's, or can't be read. */
export type LeftOut = "corrupt" | "version" | "foreign" | "unreadable";

export interface FolderContents {
  /** Of the other processes. */
  readonly contributions: readonly Contribution[];
  readonly leftOut: Readonly<Record<LeftOut, number>>;
}

/** A few milliseconds' worth. */
const linesAtOnce = 2000;

interface KnownFile {
  /** Which file was read: a name may come to mean another one. */
  readonly inode: number;
  /** Which list of series its head named. */
  readonly number: number;
  /** How much of the list has been read: whole lines. */
  listBytes: number;
  /** Lines that have been read, and wait for their turn. */
  unparsed: string[];
  readonly list: SeriesList;
  cells: Float64Array;
}

/** Reads the values of all other processes. What has been read of a list of series is not read again. */
export class FolderReader {
  readonly #folder: string;
  readonly #definitions: Definitions;
  readonly #onLeftOut: (file: string, reason: string) => void;
  readonly #known = new Map<string, KnownFile>();
  /** What has been told: each thing once. */
  readonly #told = new Set<string>();

  constructor(folder: string, definitions: Definitions, onLeftOut: (file: string, reason: string) => void) {
    this.#folder = folder;
    this.#definitions = definitions;
    this.#onLeftOut = onLeftOut;
  }

  /**
   * Files with very many new series are read in turns, so that the event loop is not held up.
   *
   * @param own the bases of this process's own files, which it need not read
   */
  async read(own: ReadonlySet<string>): Promise<FolderContents> {
    const leftOut = { corrupt: 0, version: 0, foreign: 0, unreadable: 0 };
    const leave = (why: LeftOut, name: string, reason: string): void => {
      leftOut[why] += 1;
      const key = `${name}: ${reason}`;
      if (this.#told.has(key)) return;
      this.#told.add(key);
      this.#onLeftOut(`${this.#folder}/${name}`, reason);
    };
    let names: string[];
    try {
      names = readdirSync(this.#folder);
    } catch (error) {
      leave("unreadable", "", (error as Error).message);
      return { contributions: [], leftOut };
    }
    const contributions: Contribution[] = [];
    const seen = new Set<string>();
    for (const name of names) {
      const file = parseFileName(name);
      if (file.kind === "foreign") leave("foreign", name, "is no file of ours");
      else if (file.kind === "version") leave("version", name, "is of another version of tsserve");
      if (file.kind !== "values" || own.has(file.base)) continue;
      seen.add(file.base);
      try {
        const contribution = await this.#readFile(file.base);
        if (contribution !== undefined) contributions.push(contribution);
      } catch (error) {
        // Its process has gone, and its file went with it.
        if ((error as NodeJS.ErrnoException).code === "ENOENT" && processOf(file) !== undefined) continue;
        this.#forget(file.base);
        leave(error instanceof CorruptFileError ? "corrupt" : "unreadable", name, (error as Error).message);
      }
    }
    for (const base of this.#known.keys()) if (!seen.has(base)) this.#forget(base);
    return { contributions, leftOut };
  }

  /** The values first: the list that is read then has the lines of all of them. */
  async #readFile(base: string): Promise<Contribution | undefined> {
    const values = openSync(`${this.#folder}/${valuesName(base)}`, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { ino, size } = fstatSync(values);
      // It has just been made.
      if (size === 0) return undefined;
      let known = this.#known.get(base);
      const cells = readCells(values, known?.cells);
      checkHead(cells);
      const number = cells[head.list] ?? 1;
      if (known === undefined || known.inode !== ino || known.number !== number) {
        this.#forget(base);
        known = { inode: ino, number, listBytes: 0, unparsed: [], list: emptyList(), cells };
        this.#known.set(base, known);
      }
      known.cells = cells.length > known.cells.length ? cells : known.cells;
      this.#readList(base, known);
      await this.#parse(known);
      const owner = ownerOf(cells);
      const used = Math.min(cells.length - head.length, cells[head.cells] ?? 0);
      return {
        order: orderOf(base),
        list: known.list,
        values: cells.subarray(head.length, head.length + used),
        owner,
        isAlive: isAlive(owner),
      };
    } finally {
      closeSync(values);
    }
  }

  #readList(base: string, known: KnownFile): void {
    const path = `${this.#folder}/${listName(base, known.number)}`;
    const list = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { size } = fstatSync(list);
      if (size < known.listBytes) throw new CorruptFileError("the list of series has become shorter");
      if (size === known.listBytes) return;
      const bytes = Buffer.alloc(size - known.listBytes);
      const count = readSync(list, bytes, 0, bytes.length, known.listBytes);
      const end = bytes.subarray(0, count).lastIndexOf(10) + 1;
      for (const line of bytes.toString("utf8", 0, end).split("\n")) if (line !== "") known.unparsed.push(line);
      known.listBytes += end;
    } finally {
      closeSync(list);
    }
  }

  async #parse(known: KnownFile): Promise<void> {
    const lines = known.unparsed;
    known.unparsed = [];
    for (let n = 0; n < lines.length; n++) {
      parseLine(lines[n] as string, known.list, this.#definitions);
      if (n % linesAtOnce === linesAtOnce - 1) await pause();
    }
  }

  #forget(base: string): void {
    const known = this.#known.get(base);
    if (known !== undefined) this.#definitions.release(known.list.series);
    this.#known.delete(base);
  }
}
