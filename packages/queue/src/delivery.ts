import type { Headers } from "./message.ts";

/** Why a message is among the dead letters. A closed set: it is a metric's label and a header's value. */
export type DeadReason = "retries" | "rejected" | "unparseable" | "oversized" | "crashed" | "expired";

/** What is told of a message that failed, to whoever finds it later. */
export interface Failure {
  readonly error: unknown;
  /** How many runs have failed by now, this one included. */
  readonly failures: number;
  readonly retryLimit: number;
}

/**
 * A message as a broker handed it over, and the ways in which it can leave this process; one of them is called, once.
 * Where the broker has taken the message back in the meantime (a connection was lost), they do nothing.
 */
export interface Delivery {
  /** As its publisher named it. */
  readonly id: string | undefined;
  readonly bytes: Buffer;
  readonly headers: Headers;
  readonly contentType: string | undefined;
  /** Why nothing can be read of it but its bytes, where that is so. */
  readonly unreadable?: Error | undefined;
  readonly routingKey: string | undefined;
  readonly topic: string | undefined;
  readonly sentAt: Date | undefined;
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
  readonly raw: unknown;
  /** Whether the broker has handed it out before. */
  readonly redelivered: boolean;
  /** How many runs have failed before, in whatever worker. */
  readonly failures: number;
  /** How often it was handed out and came back without a word, as far as that is known. */
  readonly redeliveries: number;
  /** Whether it may be a message that kills its worker: such ones run one at a time until one of them has succeeded. */
  readonly isSuspect: boolean;
  /** How many runs may have begun before this one. */
  readonly earlierAttempts: number;
  /** Its own limit of retries, where its publisher set one. */
  readonly retryLimit: number | undefined;
  /** When it is too late to run it, where its publisher said so. */
  readonly expiresAt: number | undefined;
  /** What tells it from others beside what stands here, but for how often it has come back and by which way: see `contentKey`. */
  readonly distinction?: unknown;
  /** Messages of one group run one after the other, in their order. */
  readonly group: string | undefined;
  /** Whether a retry is a copy, so that this one, should it come again, is finished; else the same message comes again. */
  readonly isCopiedForRetry: boolean;
  /** Whether the broker has taken it back: nothing that is done with it counts any more. */
  readonly isStale: boolean;

  /** It is done. @returns whether the broker will hear of it */
  acknowledge(): boolean | Promise<boolean>;
  /** Back to its queue, as if it had never been here. */
  giveBack(): void | Promise<void>;
  /** Back to its queue when the subscription has ended: sooner, it would come straight back. Absent where it may stay where it is until then. */
  keep?(): void;
  /** Back to its queue after a delay, with the failure counted. @throws when the broker does not take it: it is still ours */
  retry(delayMs: number, failure: Failure): Promise<void>;
  /** To the dead letters. @throws when the broker does not take it: it is still ours */
  bury(reason: DeadReason, failure: Failure): Promise<void>;
  /** Back to its queue because nothing else could be done with it: the broker counts it as failed. */
  fail(): void | Promise<void>;
  /**
   * Whether it came back without a word, and nothing is known of why. It is sent on, with that counted: one that kills its worker would
   * else do so for ever, and take those with it that the worker holds beside it.
   */
  readonly isUnexplained?: boolean;
  /** Sends it on as a copy that carries how often it came back, and comes at another time. Absent where the broker counts that. */
  recount?(): Promise<void>;
}
