import type { Duplex } from "node:stream";
import { readMessage, type WatchdogAnswer, type WatchdogRequest } from "./messages.ts";

type Question = Omit<WatchdogRequest, "type" | "id">;

/** The master's end of the line to a worker's watchdog thread, which answers though the worker's event loop is stuck. */
export class WatchdogLine {
  readonly #stream: Duplex | undefined;
  readonly #wake: () => void;
  readonly #waiting = new Map<number, (answer: WatchdogAnswer) => void>();
  #lastId = 0;
  #text = "";
  #isClosed = false;

  /** @param wake tells the thread that there is something to read */
  constructor(stream: Duplex | undefined, wake: () => void) {
    this.#stream = stream;
    this.#wake = wake;
    this.#isClosed = stream === undefined;
    stream?.on("data", (bytes: Buffer) => this.#read(bytes.toString()));
    stream?.on("error", () => this.#close());
    stream?.on("end", () => this.#close());
    stream?.on("close", () => this.#close());
  }

  /** Always resolves: with what failed, too, within `withinMs`. */
  ask(question: Question, withinMs: number): Promise<WatchdogAnswer> {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const fail = (reason: string): void => finish({ type: "tsserve:profile-failed", id, reason });
      const limit = setTimeout(() => fail(`it did not answer within ${Math.round(withinMs / 1000)} s`), withinMs);
      const finish = (answer: WatchdogAnswer): void => {
        clearTimeout(limit);
        this.#waiting.delete(id);
        resolve(answer);
      };
      this.#waiting.set(id, finish);
      if (this.#isClosed) return fail("it has no line to its watchdog thread");
      this.#stream?.write(`${JSON.stringify({ type: "tsserve:profile", id, ...question } satisfies WatchdogRequest)}\n`);
      return this.#wake();
    });
  }

  #read(text: string): void {
    const lines = `${this.#text}${text}`.split("\n");
    this.#text = lines.pop() ?? "";
    for (const line of lines) {
      const answer = parse(line);
      if (answer !== undefined) this.#waiting.get(answer.id)?.(answer);
    }
  }

  #close(): void {
    this.#isClosed = true;
    for (const [id, finish] of this.#waiting) finish({ type: "tsserve:profile-failed", id, reason: "it ended while it was profiled" });
  }
}

function parse(line: string): WatchdogAnswer | undefined {
  try {
    const read = readMessage(JSON.parse(line));
    if (!("message" in read)) return undefined;
    const { message } = read;
    return message.type === "tsserve:profile-taken" || message.type === "tsserve:profile-failed" ? message : undefined;
  } catch {
    return undefined;
  }
}
