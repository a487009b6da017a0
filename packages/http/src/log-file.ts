import { closeSync, fstatSync, openSync, stat, writeSync } from "node:fs";
import type { Clock } from "@tsserve/server";

const flushMs = 1000;
/** Gathered at most, and handed to the system in one piece. */
const flushBytes = 16_384;
const lineFeed = 0x0a;

/**
 * A file of lines that several processes append to, and that others rename. Lines are gathered for a second at most, and
 * written in one piece each time, at the end of the file whatever else was written there (`O_APPEND`), so that none is torn
 * and `copytruncate` of logrotate leaves no hole. Where the file has been renamed, it is opened anew within a second.
 * A disk that is full costs lines, never requests.
 */
export class LogFile {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #failed: (error: Error, lostLines: number) => void;
  #fd: number;
  #inode: bigint;
  #lines = "";
  #lost = 0;
  /** Whether the last line in the file has no end. */
  #isTorn = false;
  #lastError: Error | undefined;
  #isClosed = false;
  #cancel: () => void;

  /**
   * @param failed told of lines that were lost, and why, once a second at most
   * @throws {Error} when the file can't be opened
   */
  constructor(path: string, clock: Clock, failed: (error: Error, lostLines: number) => void) {
    this.#path = path;
    this.#clock = clock;
    this.#failed = failed;
    this.#fd = openSync(path, "a");
    this.#inode = fstatSync(this.#fd, { bigint: true }).ino;
    this.#cancel = clock.after(flushMs, () => this.#tick());
  }

  /** A line, with its line feed. */
  write(line: string): void {
    if (this.#isClosed) return;
    this.#lines += line;
    if (this.#lines.length >= flushBytes) this.#flush();
  }

  /** Opens the file by its name: what was written before goes to where it was, what comes to the new one. */
  reopen(): void {
    try {
      const fd = openSync(this.#path, "a");
      this.#flush();
      closeSync(this.#fd);
      this.#fd = fd;
      const { ino } = fstatSync(fd, { bigint: true });
      if (ino !== this.#inode) this.#isTorn = false;
      this.#inode = ino;
    } catch (error) {
      this.#failed(error as Error, 0);
    }
  }

  /** Writes what is left. */
  end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancel();
    this.#flush();
    this.#tellLost();
    closeSync(this.#fd);
  }

  #tellLost(): void {
    if (this.#lost === 0) return;
    this.#failed(this.#lastError ?? new Error("it is not writable"), this.#lost);
    this.#lost = 0;
  }

  #tick(): void {
    if (this.#isClosed) return;
    this.#flush();
    this.#tellLost();
    stat(this.#path, { bigint: true }, (error, found) => {
      if (this.#isClosed) return;
      if (error !== null ? error.code === "ENOENT" : found.ino !== this.#inode) this.reopen();
    });
    this.#cancel = this.#clock.after(flushMs, () => this.#tick());
  }

  /** At once, so that lines stay in order and none is left behind by an exit: the system takes them into memory. */
  #flush(): void {
    if (this.#lines === "") return;
    const bytes = Buffer.from(this.#isTorn ? `\n${this.#lines}` : this.#lines);
    this.#lines = "";
    let written = 0;
    try {
      // A disk that is nearly full takes a part of it, and says so only when it is asked for the rest.
      while (written < bytes.length) written += writeSync(this.#fd, bytes, written);
      this.#isTorn = false;
    } catch (error) {
      this.#lost += lineFeeds(bytes.subarray(Math.max(written, this.#isTorn ? 1 : 0)));
      // A line that was begun stays as it is: the next one is not to be its end.
      if (written > 0) this.#isTorn = bytes[written - 1] !== lineFeed;
      this.#lastError = error as Error;
    }
  }
}

function lineFeeds(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if (byte === lineFeed) count += 1;
  return count;
}
