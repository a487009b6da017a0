import { close, fstatSync, openSync, stat, write, writeSync } from "node:fs";
import type { Clock } from "@tsserve/server";

const flushMs = 1000;
const flushBytes = 8192;
/** What waits while the disk does not take it; more is lost. */
const longestQueueBytes = 4 * 1024 * 1024;

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
  #lines: string[] = [];
  #bytes = 0;
  #lost = 0;
  #isWriting = false;
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
    if (this.#isClosed || this.#bytes > longestQueueBytes) {
      this.#lost += 1;
      return;
    }
    this.#lines.push(line);
    this.#bytes += line.length;
    if (this.#bytes >= flushBytes) this.#flush();
  }

  /** Opens the file by its name: what was written before goes to where it was, what comes to the new one. */
  reopen(): void {
    try {
      const fd = openSync(this.#path, "a");
      this.#flushNow();
      const old = this.#fd;
      this.#fd = fd;
      this.#inode = fstatSync(fd, { bigint: true }).ino;
      // One that is being written to is closed when that has ended, which takes no turn longer than this.
      this.#clock.after(flushMs, () => close(old));
    } catch (error) {
      this.#failed(error as Error, 0);
    }
  }

  /** Writes what is left. */
  end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancel();
    this.#flushNow();
    if (this.#lost > 0) this.#failed(new Error("the file was not writable"), this.#lost);
  }

  #tick(): void {
    if (this.#isClosed) return;
    this.#flush();
    stat(this.#path, { bigint: true }, (error, found) => {
      if (this.#isClosed) return;
      if (error !== null ? error.code === "ENOENT" : found.ino !== this.#inode) this.reopen();
    });
    this.#cancel = this.#clock.after(flushMs, () => this.#tick());
  }

  #take(): Buffer {
    const bytes = Buffer.from(this.#lines.join(""));
    this.#lines = [];
    this.#bytes = 0;
    return bytes;
  }

  #flush(): void {
    if (this.#isWriting || this.#bytes === 0) return;
    this.#isWriting = true;
    const count = this.#lines.length;
    write(this.#fd, this.#take(), (error) => {
      this.#isWriting = false;
      if (error !== null) this.#lost += count;
      if (this.#lost > 0 && !this.#isClosed) {
        this.#failed(error ?? new Error("too many lines waited"), this.#lost);
        this.#lost = 0;
      }
    });
  }

  #flushNow(): void {
    if (this.#bytes === 0) return;
    const count = this.#lines.length;
    try {
      writeSync(this.#fd, this.#take());
    } catch (error) {
      this.#failed(error as Error, count);
    }
  }
}
