import { asError, maskSecret } from "@tsserve/config";
import type { ConsumeMessage, Options } from "amqplib";
import type { AmqpSource } from "../consumer-definition.ts";
import type { DeadReason, Failure } from "../delivery.ts";
import { fitHeaders, isWritableProperty } from "./fit-headers.ts";
import type { AmqpPublishing } from "./publishing.ts";
import type { AmqpSettings } from "./settings.ts";

/** The headers of what comes back, or is dead. */
export const headerNames = {
  retryCount: "x-retry-count",
  retryLimit: "x-retry-limit",
  firstFailedAt: "x-first-failed-at",
  lastError: "x-last-error",
  originalQueue: "x-original-queue",
  originalExchange: "x-original-exchange",
  originalRoutingKey: "x-original-routing-key",
  /** How often it was handed out without a word of what became of it, where the broker does not count that. */
  redeliveryCount: "x-redelivery-count",
  deadReason: "x-dead-reason",
} as const;

/** Headers by which a broker routes or counts: in a copy they would do so once more. */
const dropped: ReadonlySet<string> = new Set([
  "CC",
  "BCC",
  "x-death",
  "x-first-death-queue",
  "x-first-death-exchange",
  "x-first-death-reason",
  "x-last-death-queue",
  "x-last-death-exchange",
  "x-last-death-reason",
  "x-delivery-count",
  "x-acquired-count",
]);

/** Headers that `recount` sets. */
const countedReturn: ReadonlySet<string> = new Set([
  headerNames.originalQueue,
  headerNames.originalExchange,
  headerNames.originalRoutingKey,
  headerNames.redeliveryCount,
]);

/**
 * After the first redelivery, the second, …: what a message that came back waits, times 1 to 8 by chance. One of those that a
 * worker held when it died may have killed it: spread over time, they do not come to the next worker together, so that the
 * others are soon rid of it, and it leaves the workers time to come back.
 */
const redeliveryDelaysMs = [250, 2000, 8000];
const redeliverySpread = 8;
/** A queue for such a delay is seldom needed: so long after it was declared last, and its messages have left, it goes. */
const unusedMs = 600_000;

const longestErrorBytes = 1000;

/**
 * Where failed messages go: to `QUEUE.retry.MILLISECONDS`, a queue whose messages expire back into QUEUE, or to `QUEUE.dead`.
 * One queue for each delay, because messages expire in the order of the queue. Both are declared when first needed.
 */
export class FailedMessages {
  readonly #publishing: AmqpPublishing;
  readonly #settings: AmqpSettings;

  constructor(publishing: AmqpPublishing, settings: AmqpSettings) {
    this.#publishing = publishing;
    this.#settings = settings;
  }

  /** @throws {PublishError} when the broker did not confirm it */
  retry(message: ConsumeMessage, source: AmqpSource, delayMs: number, failure: Failure): Promise<void> {
    // A failure is told now: it is no message that nobody has a word of.
    const ours = { ...failedHeaders(message, source, failure), [headerNames.redeliveryCount]: undefined };
    return this.#send(message, source, delayMs, ours);
  }

  /** @throws {PublishError} */
  async bury(message: ConsumeMessage, source: AmqpSource, reason: DeadReason, failure: Failure): Promise<void> {
    const queue = `${source.queue}.dead`;
    const ours = { ...failedHeaders(message, source, failure), [headerNames.deadReason]: reason };
    await this.#publishing.publish({
      exchange: "",
      routingKey: queue,
      content: message.content,
      options: copyOptions(message, ours),
      declare: { queue, arguments: this.#typeArguments() },
    });
  }

  /** @throws {PublishError} */
  recount(message: ConsumeMessage, source: AmqpSource, redeliveries: number): Promise<void> {
    const ours = { ...originHeaders(message, source), [headerNames.redeliveryCount]: redeliveries };
    const stepMs = redeliveryDelaysMs[Math.min(redeliveries, redeliveryDelaysMs.length) - 1] ?? 0;
    const delayMs = stepMs * (1 + Math.floor(Math.random() * redeliverySpread));
    return this.#send(message, source, delayMs, ours, delayMs + unusedMs);
  }

  async #send(
    message: ConsumeMessage,
    { queue }: AmqpSource,
    delayMs: number,
    ours: Record<string, unknown>,
    expiresMs?: number,
  ): Promise<void> {
    const ttlMs = roundedUp(delayMs);
    const content = message.content;
    const options = copyOptions(message, ours);
    if (ttlMs === 0) {
      await this.#publishing.publish({ exchange: "", routingKey: queue, content, options });
      return;
    }
    const retryQueue = `${queue}.retry.${ttlMs}`;
    const queueArguments = {
      ...this.#typeArguments(),
      "x-message-ttl": ttlMs,
      "x-dead-letter-exchange": "",
      "x-dead-letter-routing-key": queue,
      // Else a quorum queue drops what it can't hand on at that moment.
      ...(this.#settings.queueType === "quorum" && { "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish" }),
    };
    const declare =
      expiresMs === undefined
        ? { queue: retryQueue, arguments: queueArguments }
        : { queue: `${queue}.redelivered.${ttlMs}`, arguments: { ...queueArguments, "x-expires": expiresMs }, isTemporary: true };
    await this.#publishing.publish({ exchange: "", routingKey: declare.queue, content, options, declare });
  }

  #typeArguments(): Record<string, unknown> {
    return this.#settings.queueType === undefined ? {} : { "x-queue-type": this.#settings.queueType };
  }
}

/** Delays that a handler makes up must not make a queue for each: two digits of them count. */
function roundedUp(delayMs: number): number {
  const ms = Math.ceil(delayMs);
  const unit = 10 ** Math.max(0, String(ms).length - 2);
  // The broker's limit of a time to live.
  return Math.min(Math.ceil(ms / unit) * unit, 2 ** 32 - 1);
}

function copyOptions(message: ConsumeMessage, ours: Record<string, unknown>): Options.Publish {
  const senders = Object.entries(message.properties.headers ?? {}).filter(([name]) => !dropped.has(name));
  const properties = Object.entries(keptProperties(message));
  const writable = properties.filter(([, value]) => isWritableProperty(value));
  const leftOut = properties.filter(([, value]) => !isWritableProperty(value)).map(([name]) => name);
  const headers = fitHeaders(Object.fromEntries(senders), ours, leftOut);
  return { ...Object.fromEntries(writable), headers, persistent: true };
}

/** Not `userId`, which must be that of this connection, and not `expiration`, which would end it in the retry queue. */
function keptProperties({ properties }: ConsumeMessage): Record<string, unknown> {
  const { contentType, contentEncoding, priority, correlationId, replyTo, messageId, timestamp, type, appId } = properties;
  const kept = { contentType, contentEncoding, priority, correlationId, replyTo, messageId, timestamp, type, appId };
  return Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined));
}

/** All that a message and a copy of it have in common that only counts how often it came back: see `Delivery.distinction`. */
export function distinctionOf(message: ConsumeMessage): unknown {
  const headers = Object.entries(message.properties.headers ?? {}).filter(([name]) => !dropped.has(name) && !countedReturn.has(name));
  return [keptProperties(message), headers.toSorted(([one], [other]) => (one < other ? -1 : 1))];
}

function failedHeaders(message: ConsumeMessage, source: AmqpSource, { error, failures, retryLimit }: Failure): Record<string, unknown> {
  const known = message.properties.headers ?? {};
  return {
    ...originHeaders(message, source),
    [headerNames.retryCount]: failures,
    [headerNames.retryLimit]: known[headerNames.retryLimit] ?? retryLimit,
    [headerNames.firstFailedAt]: known[headerNames.firstFailedAt] ?? new Date().toISOString(),
    [headerNames.lastError]: describeError(error),
  };
}

/** The default exchange, by which copies come, would hide where a message came from. */
function originHeaders({ properties, fields }: ConsumeMessage, { queue }: AmqpSource): Record<string, unknown> {
  if (properties.headers?.[headerNames.originalQueue] === queue) return {};
  return {
    [headerNames.originalQueue]: queue,
    [headerNames.originalExchange]: fields.exchange,
    [headerNames.originalRoutingKey]: fields.routingKey,
  };
}

/** Class and message, secrets masked, one kilobyte at most. */
function describeError(error: unknown): string {
  const { name, message } = asError(error);
  const text = `${name}: ${message}`;
  const bytes = Buffer.from(maskSecret("", text));
  return bytes.length <= longestErrorBytes ? bytes.toString() : bytes.toString("utf8", 0, longestErrorBytes - 3).replace(/\uFFFD*$/, "");
}
