import { asError } from "@tsserve/config";

/** A request in progress, as a person at night wants to see it. */
export interface RequestDescription {
  readonly method: string;
  /** The route's pattern where it is known, else the path. */
  readonly route: string;
  readonly ageMs: number;
  readonly client?: string | undefined;
  readonly id?: string | undefined;
}

/** What a server keeps of a request while it lasts; described only when somebody asks. */
export abstract class ActiveRequest {
  /** Neighbours in the list of those in progress: the list's own. */
  previous: ActiveRequest | undefined = undefined;
  next: ActiveRequest | undefined = undefined;

  abstract describe(): RequestDescription;
}

/** A server of somebody else's may fail to describe a request: it is counted all the same, and hides no other. */
function describe(request: ActiveRequest): RequestDescription {
  try {
    return request.describe();
  } catch (error) {
    return { method: "?", route: `(describe() threw: ${asError(error).message})`, ageMs: 0 };
  }
}

/**
 * The requests that are in progress in this process, as a list that runs through the requests
 * themselves: every request enters and leaves, and a `Set` made that cost a tenth of a small one.
 */
export class ActiveRequests {
  private first: ActiveRequest | undefined = undefined;
  private count = 0;
  /** How many have ever been added. */
  total = 0;

  get size(): number {
    return this.count;
  }

  /** A request must not be added twice. */
  add(request: ActiveRequest): void {
    const first = this.first;
    request.next = first;
    if (first !== undefined) first.previous = request;
    this.first = request;
    this.count += 1;
    this.total += 1;
  }

  /** Nothing happens to one that is not in progress any more. */
  delete(request: ActiveRequest): void {
    const { previous, next } = request;
    if (previous === undefined && this.first !== request) return;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
    request.previous = undefined;
    request.next = undefined;
    this.count -= 1;
  }

  *[Symbol.iterator](): Iterator<ActiveRequest> {
    for (let request = this.first; request !== undefined;) {
      const { next } = request;
      yield request;
      request = next;
    }
  }

  /** Oldest first. */
  describe(): RequestDescription[] {
    return [...this].map(describe).sort((a, b) => b.ageMs - a.ageMs);
  }
}
