/** What a log is written to: as `fs.writeSync` of a descriptor. */
export interface LogDescriptor {
  /** Gives how many bytes were taken. @throws with the system's code when none could be */
  write(bytes: Buffer): number;
  /** Whether it is a file whose last line has no end, whoever wrote it; `undefined` where that can't be told. */
  isTorn(): boolean | undefined;
  /** Waits, so long at most, without giving the event loop a turn. */
  pause(ms: number): void;
  now(): number;
  /** Calls back after so many milliseconds; does not hold the process. */
  later(ms: number, callback: () => void): void;
  /** Calls back when the event loop has been through what has come; does not hold the process. */
  soon(callback: () => void): void;
}

/** What waits in memory for a reader that is slower than we write. */
const mostWaitingBytes = 4 * 1024 * 1024;

/** For how long a reader that takes nothing is waited for, before its lines are lost. */
const patienceMs = 100;

/** How much of the time may be spent waiting for a slow reader: so much at once, and then a twentieth. */
const mostPausedMs = 2000;
const pausedShare = 0.05;

const retryMs = 20;

/** How often it is tried whether a full disk has room again. */
const retryLostMs = 500;

/** At the end nothing is left to be done but to write: a reader that is still there gets everything. */
const patienceAtEndMs = 1000;

/**
 * How much is handed over at once: so much, in whole lines, a pipe takes entirely or not at all (`PIPE_BUF`, pipe(7)), and the lines
 * of several workers do not run into each other.
 */
const pieceBytes = 4096;

/** No character of a text takes more than three bytes of UTF-8 for each unit of its length. */
const surelyPiece = Math.floor(pieceBytes / 3);

/**
 * Where the lines of the log go. Each is written before `write` returns, where that can be, so that none is lost at an exit, or at
 * the end of a turn of the event loop. A
 * disk that is full, a reader that has gone or does not keep up cost lines, never the process or its requests: how many is told
 * as soon as there is room again.
 */
export class LogOutput {
  readonly #descriptor: LogDescriptor;
  readonly #tellLost: (lost: number, reason: string) => string;
  /** Lines that wait, from `#next` on. */
  #lines: string[] = [];
  #next = 0;
  #waitingBytes = 0;
  /** What is being written. */
  #piece: Buffer = Buffer.alloc(0);
  /** Whether the last byte that was written was not the end of a line. */
  #isBegun = false;
  /** Whether it is to be looked at what the next line would come after: at the beginning, and when something could not be written. */
  #isUncertain = true;
  #lost = 0;
  #reason = "";
  /** The waiting lines that tell of lost ones, and of how many. */
  readonly #told = new Map<string, number>();
  /** Whole lines that are written in one piece, soon. */
  #batch = "";
  #isBatchDue = false;
  /** Where pieces are made. */
  readonly #bytes: Buffer = Buffer.allocUnsafe(3 * pieceBytes);
  #isRetrying = false;
  #isStalled = false;
  #lastTry = 0;
  #pausedMs = 0;
  #pausedSince: number;

  /** @param tellLost composes the line that tells of lost ones */
  constructor(descriptor: LogDescriptor, tellLost: (lost: number, reason: string) => string) {
    this.#descriptor = descriptor;
    this.#tellLost = tellLost;
    this.#pausedSince = descriptor.now();
  }

  /** Never throws. */
  write(line: string): void {
    if (this.#batch !== "") this.#flushBatch();
    this.#write(line);
  }

  /**
   * As `write`, but lines of one turn of the event loop are written together: for what comes with every request. An exit loses none, nor
   * does an error that ends the process; a kill -9 those of the turn that it meets. Never throws.
   */
  writeSoon(line: string): void {
    if (this.#batch.length + line.length > pieceBytes) this.#flushBatch();
    this.#batch += line;
    if (this.#isBatchDue) return;
    this.#isBatchDue = true;
    this.#descriptor.soon(() => {
      this.#isBatchDue = false;
      this.#flushBatch();
    });
  }

  #flushBatch(): void {
    const lines = this.#batch;
    this.#batch = "";
    if (lines === "") return;
    // As a rule nothing waits, and what is written is within a piece.
    const bytes = lines.length <= pieceBytes && !this.#isWaiting && this.#lost === 0 ? this.#bytes.write(lines) : 0;
    if (bytes === 0 || bytes > pieceBytes) for (const line of lines.split(/(?<=\n)/)) this.#write(line);
    else {
      this.#piece = this.#bytes.subarray(0, bytes);
      this.#flush();
    }
  }

  #write(line: string): void {
    const isFirst = !this.#isWaiting;
    // As a rule nothing waits, and a line is a piece.
    if (isFirst && this.#lost === 0 && line.length <= surelyPiece) {
      this.#piece = Buffer.from(line);
      this.#flush();
      return;
    }
    // The reader is asked now and then, not for each line.
    if (!isFirst && this.#descriptor.now() - this.#lastTry > retryMs / 4) this.#flush();
    if (!this.#hasRoom(line.length)) {
      this.#lost += 1;
      return;
    }
    this.#tell();
    this.#push(line);
    if (isFirst) this.#flush();
  }

  /** Writes what waits, as far as the reader takes it: for the end of the process. */
  end(): void {
    let last = this.#descriptor.now();
    this.#flushBatch();
    this.#flush();
    while (this.#isWaiting && this.#descriptor.now() - last < patienceAtEndMs) {
      this.#descriptor.pause(1);
      if (this.#flush()) last = this.#descriptor.now();
    }
  }

  get #isWaiting(): boolean {
    return this.#piece.length > 0 || this.#next < this.#lines.length;
  }

  /** There may be room again for what lines were lost. */
  #tell(): void {
    if (this.#lost === 0) return;
    const line = this.#tellLost(this.#lost, this.#reason);
    this.#told.set(line, this.#lost);
    this.#lost = 0;
    this.#push(line);
  }

  #push(line: string): void {
    this.#lines.push(line);
    this.#waitingBytes += line.length;
  }

  /** Writes what waits until nothing does, or nothing is taken any more. True when something was taken. */
  #flush(): boolean {
    this.#lastTry = this.#descriptor.now();
    let hasWritten = false;
    while (this.#isWaiting || this.#lost > 0) {
      if (!this.#isWaiting) this.#tell();
      if (this.#piece.length === 0) this.#takePiece();
      if (this.#isUncertain) {
        this.#join();
        if (this.#piece.length === 0) continue;
      }
      const written = this.#tryWrite();
      if (written === 0) break;
      hasWritten = true;
      this.#isStalled = false;
    }
    if (this.#isWaiting || this.#lost > 0) this.#retryLater(this.#isWaiting ? retryMs : retryLostMs);
    return hasWritten;
  }

  #takePiece(): void {
    let text = "";
    let bytes = 0;
    for (; this.#next < this.#lines.length; this.#next++) {
      const line = this.#lines[this.#next] ?? "";
      bytes += Buffer.byteLength(line);
      if (bytes > pieceBytes && text !== "") break;
      text += line;
    }
    if (this.#next === this.#lines.length) {
      this.#lines = [];
      this.#next = 0;
    }
    this.#waitingBytes -= text.length;
    this.#piece = Buffer.from(text);
  }

  /** Sees to it that what is written next begins where a line begins, or goes on with the line that was begun here. */
  #join(): void {
    this.#isUncertain = false;
    const isTorn = this.#descriptor.isTorn();
    if (isTorn === undefined) return;
    if (!this.#isBegun) {
      // Somebody else's disk was full: a worker before this one, or beside it.
      if (isTorn) this.#piece = Buffer.concat([Buffer.of(newline), this.#piece]);
    } else if (!isTorn) {
      // Others have written behind the beginning of our line: its rest would be a line by itself.
      this.#piece = this.#piece.subarray(this.#piece.indexOf(newline) + 1);
      this.#isBegun = false;
      this.#lost += 1;
    }
  }

  /** Gives how many bytes were taken. */
  #tryWrite(): number {
    try {
      const written = this.#descriptor.write(this.#piece);
      if (written > 0) this.#isBegun = this.#piece[written - 1] !== newline;
      this.#piece = this.#piece.subarray(written);
      if (!this.#isWaiting) this.#told.clear();
      return written;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "an error";
      // The reader has not kept up: it may yet.
      if (code === "EAGAIN" || code === "EINTR") this.#reason = "the reader did not keep up";
      else this.#lose(code);
      return 0;
    }
  }

  /** What can't be written is lost; the rest of a line that was begun is kept, so that the next does not go on from its middle. */
  #lose(reason: string): void {
    const kept = this.#isBegun ? this.#piece.indexOf(newline) + 1 : 0;
    const lines = [...this.#piece.toString("utf8", kept).split(/(?<=\n)/), ...this.#lines.slice(this.#next)];
    // A line that was to tell of lost ones is none of them, nor is the end of somebody else's.
    for (const line of lines) if (line !== "" && line !== "\n") this.#lost += this.#told.get(line) ?? 1;
    this.#told.clear();
    this.#isUncertain = true;
    this.#reason = reason;
    this.#piece = this.#piece.subarray(0, kept);
    this.#lines = [];
    this.#next = 0;
    this.#waitingBytes = 0;
  }

  #hasRoom(bytes: number): boolean {
    if (this.#waitingBytes + bytes <= mostWaitingBytes) return true;
    if (this.#isStalled) return false;
    const begun = this.#descriptor.now();
    this.#pausedMs = Math.max(0, this.#pausedMs - (begun - this.#pausedSince) * pausedShare);
    this.#pausedSince = begun;
    let now = begun;
    let hasRoom = false;
    while (!hasRoom && now - begun < patienceMs && this.#pausedMs + (now - begun) < mostPausedMs) {
      this.#descriptor.pause(1);
      this.#flush();
      // What a reader that has gone left behind is no room.
      if (this.#lost > 0) break;
      hasRoom = this.#waitingBytes + bytes <= mostWaitingBytes;
      now = this.#descriptor.now();
    }
    this.#pausedMs += now - begun;
    this.#isStalled = !hasRoom;
    return hasRoom;
  }

  #retryLater(ms: number): void {
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    this.#descriptor.later(ms, () => {
      this.#isRetrying = false;
      this.#flush();
    });
  }
}

const newline = 10;
