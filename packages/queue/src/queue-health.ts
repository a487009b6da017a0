import type { Clock, HealthCheck } from "@tsserve/server";
import type { SubscriptionState } from "./broker.ts";

/** Reconnecting takes a moment, which no balancer need know of. */
const unreadyAfterMs = 15_000;
/** A broker that is away is not mended by restarting this process; one that answers for so long, while we have nothing of it, may be. */
const stuckAfterMs = 300_000;

/** Looks at the subscriptions, and says how the process is. */
export class QueueHealth {
  readonly #states: () => readonly SubscriptionState[];
  readonly #clock: Clock;
  /** Since when each has been without. */
  readonly #missingSince = new Map<number, number>();
  readonly #stuckSince = new Map<number, number>();
  #hasStarted = false;

  constructor(states: () => readonly SubscriptionState[], clock: Clock) {
    this.#states = states;
    this.#clock = clock;
  }

  readonly check: HealthCheck = (probe) => {
    this.look();
    const now = this.#clock.now();
    const lasts = (since: Map<number, number>, ms: number): boolean => [...since.values()].some((begin) => now - begin > ms);
    if (probe === "liveness") return !lasts(this.#stuckSince, stuckAfterMs);
    if (probe === "startup") return this.#hasStarted;
    return this.#hasStarted && !lasts(this.#missingSince, unreadyAfterMs);
  };

  /** To be called every now and then: only what is seen is timed. */
  look(): void {
    const states = this.#states();
    const now = this.#clock.now();
    this.#hasStarted ||= states.length > 0 && states.every(({ isSubscribed }) => isSubscribed);
    for (const [index, { isSubscribed, brokerAnswers }] of states.entries()) {
      note(this.#missingSince, index, !isSubscribed, now);
      note(this.#stuckSince, index, !isSubscribed && brokerAnswers, now);
    }
  }
}

function note(since: Map<number, number>, index: number, holds: boolean, now: number): void {
  if (!holds) since.delete(index);
  else if (!since.has(index)) since.set(index, now);
}
