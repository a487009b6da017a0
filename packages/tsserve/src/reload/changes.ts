import { createHash } from "node:crypto";

export interface ChangesParts {
  /** The content of a file; `undefined` when there is none. */
  readonly read: (path: string) => Buffer | undefined;
  readonly isSource: (path: string) => boolean;
  readonly now: () => number;
}

/** What became of a change. */
export type Verdict = "restart" | "ignored" | "ignored from now on";

/** From when the app wrote a file, its change is the app's for so long: it is heard of a little later. */
const ownForMs = 3000;
/** An app that writes its own source, such as a generator, settles within a few starts, or never. */
const mostOwnRestarts = 3;

/**
 * Which changes restart the app: not those that leave a file as it was; not what the app itself writes, unless it is
 * source; and not what it writes anew at each start, even if it is.
 */
export class Changes {
  readonly #parts: ChangesParts;
  readonly #contents = new Map<string, string>();
  readonly #writtenAt = new Map<string, number>();
  readonly #ownRestarts = new Map<string, number>();

  constructor(parts: ChangesParts) {
    this.#parts = parts;
  }

  /** The app has opened a file to write to it, renamed another one into its place, or removed it. */
  wrote(path: string): void {
    this.#writtenAt.set(path, this.#parts.now());
  }

  judge(path: string): Verdict {
    const { isSource, now } = this.#parts;
    if (!this.#hasNewContent(path)) return "ignored";
    const isOwn = now() - (this.#writtenAt.get(path) ?? Number.NEGATIVE_INFINITY) < ownForMs;
    if (!isOwn) {
      this.#ownRestarts.delete(path);
      return "restart";
    }
    if (!isSource(path)) return "ignored";
    const restarts = (this.#ownRestarts.get(path) ?? 0) + 1;
    this.#ownRestarts.set(path, restarts);
    if (restarts <= mostOwnRestarts) return "restart";
    return restarts === mostOwnRestarts + 1 ? "ignored from now on" : "ignored";
  }

  #hasNewContent(path: string): boolean {
    const bytes = this.#parts.read(path);
    const content = bytes === undefined ? "none" : createHash("sha256").update(bytes).digest("base64");
    if (this.#contents.get(path) === content) return false;
    this.#contents.set(path, content);
    return true;
  }
}
