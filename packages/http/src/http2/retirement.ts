import type { Clock } from "@tsserve/server";

/** So long, at least, requests may be on their way after the client was told to send no more. */
export const settleMs = 250;
/** So long, at most, the client's answer to a ping is waited for. */
export const roundTripLimitMs = 1000;

/** What is done to a session to end it. */
export interface RetirementSteps {
  /** GOAWAY with the highest id there is: the client is to open no more streams; those that it has opened are served. */
  announce(): void;
  /** Calls back when the client has answered, and so has read all that was sent before. */
  ping(answered: () => void): void;
  /** GOAWAY with the last stream that was taken in: what comes later is refused, and the session ends with its last answer. */
  close(): void;
}

/**
 * The end of a session in two steps (RFC 9113, section 6.8), so that a stream that the client opened before it had read of the end
 * is served rather than refused. No stream is lost in either step: one that is refused was not handled, and may be sent again.
 */
export class Retirement {
  readonly #steps: RetirementSteps;
  readonly #clock: Clock;
  #announcedAt: number | undefined;
  #hasAnswered = false;
  #isWanted = false;
  #isClosed = false;
  #cancel: (() => void) | undefined;

  constructor(steps: RetirementSteps, clock: Clock) {
    this.#steps = steps;
    this.#clock = clock;
  }

  get isAnnounced(): boolean {
    return this.#announcedAt !== undefined;
  }

  /** The first step. Nothing happens the second time. */
  announce(): void {
    if (this.#announcedAt !== undefined || this.#isClosed) return;
    this.#announcedAt = this.#clock.now();
    this.#steps.announce();
    this.#steps.ping(() => {
      this.#hasAnswered = true;
      this.#proceed();
    });
  }

  /** Both steps, the second as soon as it may be. */
  retire(): void {
    this.announce();
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.#proceed();
  }

  /** The session has gone: nothing more is done. */
  cancel(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }

  #proceed(): void {
    if (!this.#isWanted || this.#isClosed || this.#announcedAt === undefined) return;
    this.#cancel?.();
    const waited = this.#clock.now() - this.#announcedAt;
    const left = (this.#hasAnswered ? settleMs : roundTripLimitMs) - waited;
    if (left > 0) {
      this.#cancel = this.#clock.after(left, () => this.#proceed());
      return;
    }
    this.#isClosed = true;
    this.#steps.close();
  }
}
