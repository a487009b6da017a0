import { stackText } from "@tsserve/config";

/** Failures of one kind that are reported in a minute. */
const mostInMinute = 10;
const minuteMs = 60_000;
/** Kinds that are remembered at once: messages that differ each time must not fill the memory. */
const mostKinds = 1000;

interface Kind {
  since: number;
  reported: number;
  held: number;
}

/** Holds back what repeats itself: an outage is one story, not a million. */
export class FailureBudget {
  readonly #now: () => number;
  readonly #kinds = new Map<string, Kind>();
  #held = 0;

  /** @param now in milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** How many were held back in all. */
  get held(): number {
    return this.#held;
  }

  /** Gives how many of the kind were held back since the last one that was reported; `undefined` for one that is held back itself. */
  spend(error: Error): number | undefined {
    const now = this.#now();
    const name = kindOf(error);
    const kind = this.#kinds.get(name);
    if (kind === undefined || now - kind.since >= minuteMs) {
      this.#kinds.delete(name);
      if (this.#kinds.size >= mostKinds)
        for (const oldest of this.#kinds.keys()) {
          this.#kinds.delete(oldest);
          break;
        }
      this.#kinds.set(name, { since: now, reported: 1, held: 0 });
      return kind?.held ?? 0;
    }
    if (kind.reported < mostInMinute) {
      kind.reported += 1;
      return 0;
    }
    kind.held += 1;
    this.#held += 1;
    return undefined;
  }
}

/** What failures have in common that are one: the class and where it was made, else the message without its numbers. */
export function kindOf(error: Error): string {
  const frame = /\n\s+at (.+)/.exec(stackText(error))?.[1];
  return `${error.name}\n${frame ?? error.message.replaceAll(/\d+/g, "0").slice(0, 200)}`;
}
