import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import type { Definitions } from "./definitions.ts";
import { isJournal } from "./journal.ts";
import type { Contribution } from "./merge.ts";
import { isAlive } from "./process-identity.ts";
import { checkHead, CorruptFileError, head, parseLine, readCells, type StoredSeries } from "./value-file.ts";

/** Why a file is not among what is exported. */
export type LeftOut = "corrupt" | "foreign" | "unreadable";

export interface FolderContents {
  readonly contributions: readonly Contribution[];
  readonly leftOut: Readonly<Record<LeftOut, number>>;
}

/** A few milliseconds' worth. */
const linesAtOnce = 2000;

interface KnownFile {
  /** Which file was read: a name may come to mean another one. */
  readonly inode: number;
  /** How much of the index has been read: whole lines. */
  indexBytes: number;
  /** Lines that have been read, and wait for their turn. */
  unparsed: string[];
  readonly series: StoredSeries[];
  cells: Float64Array;
}

/** Reads the files of all slots. What has been read of an index is not read again. */
export class FolderReader {
  readonly #folder: string;
  readonly #onLeftOut: (file: string, reason: string) => void;
  readonly #known = new Map<string, KnownFile>();
  readonly #definitions: Definitions;
  /** Each is told once. */
  readonly #told = new Set<string>();

  constructor(folder: string, definitions: Definitions, onLeftOut: (file: string, reason: string) => void) {
    this.#folder = folder;
    this.#definitions = definitions;
    this.#onLeftOut = onLeftOut;
  }

  /**
   * Files with very many new series are read in turns, so that the event loop is not held up.
   *
   * @param ownSlot not read: the process knows better itself
   */
  async read(ownSlot: number | undefined): Promise<FolderContents> {
    const contributions: Contribution[] = [];
    const leftOut = { corrupt: 0, foreign: 0, unreadable: 0 };
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
      return { contributions, leftOut };
    }
    for (const name of names) {
      const match = /^(\d{1,6})\.(values|index)$/.exec(name);
      if (isJournal(name)) continue;
      if (match === null) leave("foreign", name, "is no file of ours");
      else if (match[2] === "values" && Number(match[1]) !== ownSlot) {
        try {
          const contribution = await this.#readSlot(match[1] ?? "");
          if (contribution !== undefined) contributions.push(contribution);
        } catch (error) {
          this.#known.delete(match[1] ?? "");
          leave(error instanceof CorruptFileError ? "corrupt" : "unreadable", name, (error as Error).message);
        }
      }
    }
    return { contributions, leftOut };
  }

  /** The values first: the index that is read then has the lines of all of them. */
  async #readSlot(slot: string): Promise<Contribution | undefined> {
    const path = `${this.#folder}/${slot}`;
    const values = openSync(`${path}.values`, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { ino, size } = fstatSync(values);
      // It has just been made.
      if (size === 0) return undefined;
      let known = this.#known.get(slot);
      if (known?.inode !== ino) {
        known = { inode: ino, indexBytes: 0, unparsed: [], series: [], cells: new Float64Array(0) };
        this.#known.set(slot, known);
      }
      const cells = readCells(values, known.cells);
      known.cells = cells.length > known.cells.length ? cells : known.cells;
      checkHead(cells);
      this.#readIndex(`${path}.index`, known);
      await this.#parse(known);
      const owner = { pid: cells[head.pid] ?? 0, startedAt: cells[head.startedAt] ?? 0 };
      const used = Math.min(cells.length - head.length, cells[head.cells] ?? 0);
      return { slot: Number(slot), series: known.series, cells: cells.subarray(head.length, head.length + used), isAlive: isAlive(owner) };
    } finally {
      closeSync(values);
    }
  }

  #readIndex(path: string, known: KnownFile): void {
    const index = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { size } = fstatSync(index);
      if (size < known.indexBytes) throw new CorruptFileError("the index has become shorter");
      if (size === known.indexBytes) return;
      const bytes = Buffer.alloc(size - known.indexBytes);
      const count = readSync(index, bytes, 0, bytes.length, known.indexBytes);
      const end = bytes.subarray(0, count).lastIndexOf(10) + 1;
      for (const line of bytes.toString("utf8", 0, end).split("\n")) if (line !== "") known.unparsed.push(line);
      known.indexBytes += end;
    } finally {
      closeSync(index);
    }
  }

  async #parse(known: KnownFile): Promise<void> {
    const lines = known.unparsed;
    if (lines.length === 0) return;
    known.unparsed = [];
    for (let n = 0; n < lines.length; n++) {
      known.series.push(parseLine(lines[n] as string, this.#definitions));
      if (n % linesAtOnce === linesAtOnce - 1) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
