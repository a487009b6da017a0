import { closeSync, openSync, readFileSync } from "node:fs";
import type { Server, Socket } from "node:net";
import type { Logger } from "pino";

/** So many descriptors before the last one, it is said. */
const margin = 24;
const sayAgainMs = 60_000;

/**
 * Says when descriptors run out. Then the system refuses further connections without a word to anybody: libuv accepts and
 * closes them itself (`uv__emfile_trick` in github.com/libuv/libuv/blob/v1.x/src/unix/stream.c).
 */
export class Descriptors {
  readonly #log: Logger;
  readonly #limit: number;
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(log: Logger) {
    this.#log = log;
    this.#limit = limitOfDescriptors();
  }

  /** Looks when `acceptor` begins to listen: where none is left for a first connection, nobody comes whose descriptor could be looked at. */
  lookOnListening(acceptor: Server): void {
    acceptor.once("listening", () => this.#lookForOne());
  }

  /** A new descriptor has the lowest number that is free: a high one means that few are left. */
  look(socket: Socket): void {
    const fd = (socket as Socket & { _handle?: { readonly fd?: number } | null })._handle?.fd ?? -1;
    this.#lookAt(fd);
  }

  /** @returns whether it was for want of descriptors: the server goes on, and accepts when some are free again */
  acceptFailed({ code, syscall }: NodeJS.ErrnoException): boolean {
    // A server that can't begin to listen has not begun.
    if (syscall === "listen" || !isWant(code)) return false;
    this.#say();
    return true;
  }

  #lookForOne(): void {
    try {
      const fd = openSync("/", "r");
      closeSync(fd);
      this.#lookAt(fd);
    } catch (error) {
      if (isWant((error as NodeJS.ErrnoException).code)) this.#say();
    }
  }

  #lookAt(fd: number): void {
    if (fd >= this.#limit - margin) this.#say();
  }

  #say(): void {
    const now = performance.now();
    if (now - this.#saidAt < sayAgainMs) return;
    this.#saidAt = now;
    this.#log.error(
      { limit: this.#limit },
      `file descriptors run out (${this.#limit}): the system refuses further connections; raise the limit (ulimit -n, LimitNOFILE=) or lower max_concurrency`,
    );
  }
}

function isWant(code: string | undefined): boolean {
  return code === "EMFILE" || code === "ENFILE";
}

/** Where the system does not tell it so, none is known. */
function limitOfDescriptors(): number {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
