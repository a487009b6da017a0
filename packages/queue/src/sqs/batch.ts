import { systemClock, wait } from "@tsserve/server";
import { backOff } from "../back-off.ts";

/** What AWS says of one entry that it has not done. */
export interface FailedEntry {
  readonly Id?: string | undefined;
  readonly SenderFault?: boolean | undefined;
  readonly Code?: string | undefined;
  readonly Message?: string | undefined;
}

export interface BatchOptions<E> {
  /** Sends up to ten entries, whose `Id` is their place. @returns those that failed, as AWS lists them */
  send(entries: readonly (E & { readonly Id: string })[]): Promise<readonly FailedEntry[]>;
  /** Default 10 ms. */
  readonly lingerMs?: number;
}

/** AWS's limit of entries in one request. */
const mostEntries = 10;
const mostTries = 5;

interface Waiting<E> {
  readonly entry: E;
  readonly resolve: (failure: FailedEntry | undefined) => void;
}

/**
 * Collects what is asked of SQS for single messages into requests of up to ten, and tells each what became of it: a request
 * may succeed for nine and fail for one. What failed through no fault of ours is tried again, alone.
 */
export class Batch<E extends object> {
  readonly #options: BatchOptions<E>;
  #waiting: Waiting<E>[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BatchOptions<E>) {
    this.#options = options;
  }

  /** @returns why it failed, for good; `undefined` when it is done */
  add(entry: E): Promise<FailedEntry | undefined> {
    return new Promise((resolve) => {
      this.#waiting.push({ entry, resolve });
      if (this.#waiting.length >= mostEntries) this.flush();
      else this.#timer ??= setTimeout(() => this.flush(), this.#options.lingerMs ?? 10);
    });
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#waiting.length > 0) void this.#send(this.#waiting.splice(0, mostEntries), 0);
  }

  async #send(waiting: readonly Waiting<E>[], tries: number): Promise<void> {
    let failed: readonly FailedEntry[];
    try {
      failed = await this.#options.send(waiting.map(({ entry }, index) => ({ ...entry, Id: String(index) })));
    } catch (error) {
      const { name, message } = error as Error;
      failed = waiting.map((_, index) => ({ Id: String(index), SenderFault: false, Code: name, Message: message }));
    }
    const failures = new Map(failed.map((failure) => [failure.Id, failure]));
    const again: Waiting<E>[] = [];
    for (const [index, each] of waiting.entries()) {
      const failure = failures.get(String(index));
      if (failure === undefined || failure.SenderFault === true || tries + 1 >= mostTries) each.resolve(failure);
      else again.push(each);
    }
    if (again.length === 0) return;
    await wait(systemClock, backOff(tries));
    await this.#send(again, tries + 1);
  }
}
