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
export interface ActiveRequest {
  describe(): RequestDescription;
}

/** The requests that are in progress in this process. */
export class ActiveRequests {
  readonly #requests = new Set<ActiveRequest>();

  get size(): number {
    return this.#requests.size;
  }

  add(request: ActiveRequest): void {
    this.#requests.add(request);
  }

  delete(request: ActiveRequest): void {
    this.#requests.delete(request);
  }

  [Symbol.iterator](): Iterator<ActiveRequest> {
    return this.#requests.values();
  }

  /** Oldest first. */
  describe(): RequestDescription[] {
    return [...this.#requests].map((request) => request.describe()).sort((a, b) => b.ageMs - a.ageMs);
  }
}
