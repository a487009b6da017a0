import type { ChildProcess, SendHandle } from "node:child_process";
import type { Duplex } from "node:stream";
import { LastWords } from "./last-words.ts";
import { WatchdogLine } from "./watchdog-line.ts";
import { readMessage, type MasterMessage, type WorkerMessage } from "./messages.ts";

/**
 * How long a dead worker's stderr is read on for its last words. It ends with the worker as a rule; what it has started
 * may hold it open for ever, and keeps writing to it.
 */
const lastWordsMs = 200;

export interface WorkerProcessOptions {
  readonly child: ChildProcess;
  onMessage(message: WorkerMessage): void;
  /** It says something that calls itself ours and makes no sense; told once. */
  onProblem(problem: string): void;
  /** What it writes to stderr. */
  onError(bytes: Uint8Array): void;
  /** The system has started no process: nobody reads it anywhere else. Its end follows. */
  onStartFailed(error: Error): void;
  /** Its process has ended, or could not be started, which its last words tell then. */
  onExit(code: number | null, signal: NodeJS.Signals | null): void;
}

/** The process of one worker: its channel, its signals, its last words and its end. */
export class WorkerProcess {
  readonly child: ChildProcess;
  /** To its watchdog thread. */
  readonly line: WatchdogLine;
  readonly #words = new LastWords();
  #hasLied = false;

  constructor(options: WorkerProcessOptions) {
    const { child } = options;
    this.child = child;
    // Without a descriptor left, or a process, Node makes no streams at all, whatever its types say; the error follows:
    // https://github.com/nodejs/node/blob/v20.20.2/lib/internal/child_process.js#L397-L414
    const line = (child.stdio as readonly unknown[] | undefined)?.at(-1);
    this.line = new WatchdogLine(isDuplex(line) ? line : undefined, () => child.kill("SIGURG"));
    child.stderr?.on("data", (bytes: Buffer) => {
      this.#words.add(bytes);
      options.onError(bytes);
    });
    child.stderr?.on("error", () => undefined);
    child.on("message", (value) => this.#read(value, options));
    // Without a listener an error of the channel would end the master; the worker's exit follows, if it is one.
    child.on("error", (error) => {
      if (child.pid !== undefined) return;
      this.#words.add(Buffer.from(error.message));
      options.onStartFailed(error);
      options.onExit(null, null);
    });
    child.once("exit", (code, signal) => {
      const timer = setTimeout(end, lastWordsMs);
      child.once("close", end);
      function end(): void {
        clearTimeout(timer);
        child.off("close", end);
        options.onExit(code, signal);
      }
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** The end of what it wrote to stderr. */
  lastWords(): string {
    return this.#words.text();
  }

  /** Sends it a message, with a socket. A worker that has just died needs nothing any more. */
  send(message: MasterMessage, handle?: unknown): void {
    if (this.child.connected) this.child.send(message, handle as SendHandle | undefined, {}, () => undefined);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  #read(value: unknown, { onMessage, onProblem }: WorkerProcessOptions): void {
    const read = readMessage(value);
    if ("message" in read) return onMessage(read.message as WorkerMessage);
    if ("foreign" in read || this.#hasLied) return undefined;
    this.#hasLied = true;
    return onProblem(read.problem);
  }
}

function isDuplex(stream: unknown): stream is Duplex {
  return typeof stream === "object" && stream !== null && "write" in stream && "read" in stream;
}
