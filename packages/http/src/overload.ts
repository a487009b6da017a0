import type { IncomingMessage } from "node:http";
import type { Refusal } from "./refusal.ts";
import type { HttpRequest } from "./http-request.ts";

/** Counts the requests in progress that `max_active_requests` is for, whichever protocol they came by. */
export class Overload {
  readonly #max: number;
  #active = 0;

  /** @param max 0 for no limit */
  constructor(max: number) {
    this.#max = max;
  }

  /** @returns whether there is room for it; for health probes there always is */
  enter(request: HttpRequest): boolean {
    if (this.#max === 0 || isHealthProbe(request.incoming)) return true;
    if (this.#active >= this.#max) return false;
    this.#active += 1;
    request.isCounted = true;
    return true;
  }

  leave(request: HttpRequest): void {
    if (request.isCounted) this.#active -= 1;
    request.isCounted = false;
  }
}

export const overloadedForNow: Refusal = {
  status: 503,
  reason: "overload",
  message: "too many requests are in progress",
  setting: "max_active_requests",
  retryAfterSeconds: 1,
  keepsConnection: true,
};

/** Also where the app answers it itself: who asks must hear of a server that is busy, rather than take it for dead. */
function isHealthProbe({ method, url = "" }: IncomingMessage): boolean {
  return (method === "GET" || method === "HEAD") && /^\/health(?:$|\?)/.test(url);
}
