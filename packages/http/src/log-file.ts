import { closeSync, fstatSync, openSync, statSync, writeSync } from "node:fs";
import type { Clock } from "@tsserve/server";
import { isDiskFault } from "./disk-fault.ts";

const flushMs = 1000;
/** Gathered at most, and handed to the system in one piece. */
const flushLength = 16_384;
/** No character of a text takes more than three bytes of UTF-8 for each unit of its length. */
const surelyEnoughBytes = 4 * flushLength;
const lineFeed = 0x0a;

/** Who is told of trouble with a file: once when it begins, and once when it is over, however long it takes. */
export interface LogFileEvents {
  /**
   * From now on lines are lost, or go to a file that no longer has this name.
   *
   * @param isLosing whether they are lost
   */
  failing(error: Error, isLosing: boolean): void;
  /** Lines are written to the file of this name again; so many could not be. */
  well(lostLines: number): void;
  /** The file is closed, and so many lines could not be written since `failing`: one at least. */
  gaveUp(lostLines: number): void;
}

/**
 * A file of lines that several processes append to, and that others rename. Lines are gathered for a second at most, and
 * written in one piece each time, at the end of the file whatever else was written there (`O_APPEND`), so that none is torn
 * and `copytruncate` of logrotate leaves no hole. Where the file has been renamed, it is opened anew within a second.
 * A disk that is full costs lines, never requests.
 */
export class LogFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #events: LogFileEvents;
  /** Where pieces are made. */
  readonly #bytes: Buffer = Buffer.allocUnsafe(surelyEnoughBytes);
  /** `undefined` where it could not be opened yet. */
  #fd: number | undefined;
  #inode: bigint | undefined;
  #lines = "";
  /** Whether the last line in the file has no end. */
  #isTorn = false;
  /** Since `failing` was told. */
  #lost = 0;
  #isFailing = false;
  /** Whether something has gone wrong since it was looked at last. */
  #wentWrong = false;
  /** Whether the last that was written did not get there: only writing tells whether the next would. */
  #isRefused = false;
  /** Whether there is none, or the file that is open has no name any more: nobody will ever read what is written to it. */
  #isNameless = false;
  #isClosed = false;
  #cancel: () => void;

  /**
   * A worker that begins while the disk is full, or has become read-only, loses lines, as those that run do.
   *
   * @throws {Error} when the file can't be opened for another reason
   */
  constructor(path: string, clock: Clock, events: LogFileEvents) {
    this.#path = path;
    this.#clock = clock;
    this.#events = events;
    try {
      this.#fd = openSync(path, "a");
      this.#inode = fstatSync(this.#fd, { bigint: true }).ino;
    } catch (error) {
      if (!isDiskFault(error as NodeJS.ErrnoException, inodeOf(path) !== undefined)) throw error;
      this.#isNameless = true;
      this.#fail(error as Error);
    }
    this.#cancel = clock.after(flushMs, () => this.#tick());
  }

  /** A line, with its line feed. */
  write(line: string): void {
    if (this.#isClosed) return;
    this.#lines += line;
    if (this.#lines.length >= flushLength) this.#flush();
  }

  /** Opens the file by its name: what was written before goes to where it was, what comes to the new one. */
  reopen(): void {
    try {
      const fd = openSync(this.#path, "a");
      this.#flush();
      if (this.#fd !== undefined) closeSync(this.#fd);
      this.#fd = fd;
      const { ino } = fstatSync(fd, { bigint: true });
      if (ino !== this.#inode) this.#isTorn = false;
      this.#inode = ino;
      this.#isNameless = false;
    } catch (error) {
      this.#isNameless = this.#fd === undefined || fstatSync(this.#fd).nlink === 0;
      this.#fail(error as Error);
    }
  }

  /** Writes what is left. */
  end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancel();
    this.#flush();
    if (this.#lost > 0) this.#events.gaveUp(this.#lost);
    if (this.#fd !== undefined) closeSync(this.#fd);
  }

  /** Trouble is over when nothing has gone wrong from one look to the next. */
  #tick(): void {
    if (this.#isClosed) return;
    this.#flush();
    if (this.#isFailing && !this.#wentWrong && !this.#isRefused && !this.#isNameless) {
      this.#isFailing = false;
      this.#events.well(this.#lost);
      this.#lost = 0;
    }
    this.#wentWrong = false;
    if (this.#fd === undefined || inodeOf(this.#path) !== this.#inode) this.reopen();
    this.#cancel = this.#clock.after(flushMs, () => this.#tick());
  }

  #fail(error: Error): void {
    this.#wentWrong = true;
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#events.failing(error, this.#isNameless || this.#lost > 0);
  }

  /** At once, so that lines stay in order and none is left behind by an exit: the system takes them into memory. */
  #flush(): void {
    if (this.#lines === "") return;
    const lines = this.#isTorn ? `\n${this.#lines}` : this.#lines;
    this.#lines = "";
    const bytes = 3 * lines.length <= surelyEnoughBytes ? this.#bytes.subarray(0, this.#bytes.write(lines)) : Buffer.from(lines);
    if (this.#isNameless || this.#fd === undefined) {
      this.#lost += lineFeeds(bytes);
      return;
    }
    let written = 0;
    try {
      // A disk that is nearly full takes a part of it, and says so only when it is asked for the rest.
      while (written < bytes.length) written += writeSync(this.#fd, bytes, written);
      this.#isTorn = false;
      this.#isRefused = false;
    } catch (error) {
      this.#lost += lineFeeds(bytes.subarray(Math.max(written, this.#isTorn ? 1 : 0)));
      // A line that was begun stays as it is: the next one is not to be its end.
      if (written > 0) this.#isTorn = bytes[written - 1] !== lineFeed;
      this.#isRefused = true;
      this.#fail(error as Error);
    }
  }
}

/** Asked at once, as the file is written: where that takes long, writing does. */
function inodeOf(path: string): bigint | undefined {
  try {
    return statSync(path, { bigint: true }).ino;
  } catch {
    return undefined;
  }
}

function lineFeeds(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if (byte === lineFeed) count += 1;
  return count;
}
