import { randomUUID } from "node:crypto";
import type { DeadReason, Delivery, Failure } from "../delivery.ts";
import type { Headers } from "../message.ts";
import { messageBytes } from "../message-bytes.ts";

/** A message as a test hands it over. */
export interface TestMessage {
  /** JSON, but for a `Uint8Array`, which is handed over as it is. */
  readonly body: unknown;
  readonly id?: string;
  readonly headers?: Headers;
  readonly routingKey?: string;
  readonly topic?: string;
  /** Default 1. */
  readonly attempt?: number;
  /** Default false. */
  readonly redelivered?: boolean;
  readonly sentAt?: Date;
}

/** What became of a message. */
export type Fate =
  | { readonly outcome: "acknowledged" }
  /** It would come back after the delay. */
  | { readonly outcome: "retried"; readonly delayMs: number; readonly error: unknown }
  | { readonly outcome: "dead"; readonly reason: DeadReason; readonly error: unknown }
  /** Back to its queue: a stop, or a `FatalError`. */
  | { readonly outcome: "returned" };

/** A message in memory: it knows what became of it. */
export class MemoryDelivery implements Delivery {
  readonly id: string;
  readonly bytes: Buffer;
  readonly headers: Headers;
  readonly contentType: string;
  readonly routingKey: string | undefined;
  readonly topic: string | undefined;
  readonly sentAt: Date;
  readonly receivedAt: number = Date.now();
  readonly raw: TestMessage;
  readonly redelivered: boolean;
  readonly failures: number;
  readonly redeliveries = 0;
  readonly isSuspect = false;
  readonly earlierAttempts: number;
  readonly retryLimit = undefined;
  readonly expiresAt = undefined;
  readonly group = undefined;
  readonly isCopiedForRetry = true;
  readonly isStale = false;
  readonly #onLeft: (fate: Fate) => void;

  constructor(message: TestMessage, onLeft: (fate: Fate) => void) {
    const { bytes, contentType } = messageBytes(message.body);
    this.raw = message;
    this.bytes = bytes;
    this.contentType = contentType;
    this.id = message.id ?? randomUUID();
    this.headers = message.headers ?? {};
    this.routingKey = message.routingKey;
    this.topic = message.topic;
    this.sentAt = message.sentAt ?? new Date();
    this.redelivered = message.redelivered ?? false;
    this.failures = (message.attempt ?? 1) - 1;
    this.earlierAttempts = this.failures;
    this.#onLeft = onLeft;
  }

  acknowledge(): boolean {
    this.#onLeft({ outcome: "acknowledged" });
    return true;
  }

  giveBack(): void {
    this.#onLeft({ outcome: "returned" });
  }

  fail(): void {
    this.#onLeft({ outcome: "returned" });
  }

  retry(delayMs: number, { error }: Failure): Promise<void> {
    this.#onLeft({ outcome: "retried", delayMs, error });
    return Promise.resolve();
  }

  bury(reason: DeadReason, { error }: Failure): Promise<void> {
    this.#onLeft({ outcome: "dead", reason, error });
    return Promise.resolve();
  }
}
