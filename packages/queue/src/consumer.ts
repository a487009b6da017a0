import { isThenable, systemClock, traceScope, wait, type ActiveRequests, type Tracing } from "@tsserve/server";
import type { Logger } from "pino";
import { backOff } from "./back-off.ts";
import type { Sink } from "./broker.ts";
import type { ConsumerDefinition } from "./consumer-definition.ts";
import type { DeadReason, Delivery, Failure } from "./delivery.ts";
import { FinishedMessages } from "./finished-messages.ts";
import type { Message, UnparsedMessage } from "./message.ts";
import { isNamed, type BrokerErrorReason } from "./outcome-errors.ts";
import type { QueueMetrics, QueueOutcome } from "./queue-metrics.ts";
import { QueueRun } from "./queue-run.ts";
import { millisecondsOf } from "./milliseconds.ts";
import { traceRun } from "./trace-run.ts";
import type { Slots } from "./slots.ts";

/** What one consumer shares with the others of its process. */
export interface ConsumerParts {
  readonly slots: Slots;
  readonly requests: ActiveRequests;
  readonly log: Logger;
  /** Of the handlers. */
  readonly appLog: Logger;
  readonly tracing?: Tracing | undefined;
  metricsOf(consumer: Consumer): QueueMetrics | undefined;
  /** A handler threw a `FatalError`. */
  onFatal(error: Error): void;
}

/** How often a message may come back without a word, at least, before it is taken for one that kills its workers. */
const toleratedRedeliveries = 5;
/** How long a failed message is held while neither its retry nor its dead letter can be written. */
const holdFailedMs = 60_000;

/**
 * The life of one consumer, whatever the broker: messages wait for their turn, run, and leave in one of the ways that
 * `Delivery` has. It is told of messages, and of the subscription, as the `Sink` of a `Subscription`.
 */
export class Consumer implements Sink {
  readonly definition: ConsumerDefinition;
  isSubscribed = false;
  /** Why the subscription can't be had, or was lost. */
  lastError: Error | undefined;
  readonly #parts: ConsumerParts;
  readonly #log: Logger;
  readonly #metrics: QueueMetrics | undefined;
  readonly #finished: FinishedMessages;
  #buffer: Delivery[] = [];
  readonly #running = new Set<QueueRun>();
  /** What is on its way out: acknowledgements that take time, retries, dead letters. */
  readonly #leaving = new Set<Promise<void>>();
  /** Groups of which a message runs, or waits for its retry. */
  readonly #busyGroups = new Set<string>();
  /** Of messages that are retried in place: how many of their runs have failed here. */
  readonly #failuresHere = new Map<Delivery, number>();
  #suspectsRunning = 0;
  /** Whether messages that came back without a word have come, and none of them has succeeded yet. */
  #isSuspicious = false;
  #isPumping = false;
  readonly #traceScope = traceScope();
  readonly #stopping = new AbortController();
  /** Aborts when what has not begun goes back. */
  readonly #returning = new AbortController();
  #onIdle: (() => void) | undefined;
  #sweep: NodeJS.Timeout | undefined;

  constructor(definition: ConsumerDefinition, parts: ConsumerParts) {
    this.definition = definition;
    this.#parts = parts;
    this.#log = parts.log.child({ consumer: definition.name, queue: definition.source.queue });
    this.#finished = new FinishedMessages(definition.rememberedIds);
    this.#metrics = parts.metricsOf(this);
  }

  get active(): number {
    return this.#running.size;
  }

  get buffered(): number {
    return this.#buffer.length;
  }

  subscribed(): void {
    this.isSubscribed = true;
    this.#log.info(`consuming from ${this.definition.source.queue}`);
  }

  unsubscribed(reason: BrokerErrorReason, error: Error): void {
    if (this.isSubscribed) this.#log.error({ reason }, `the subscription is gone, and is tried again: ${error.message}`);
    else this.#log.warn({ reason }, `can't subscribe yet: ${error.message}`);
    this.isSubscribed = false;
    this.lastError = error;
    this.#metrics?.lostSubscription(reason);
    // The broker hands them out again, to whomever.
    this.#buffer = this.#buffer.filter((delivery) => !delivery.isStale);
    this.#checkIdle();
  }

  deliver(delivery: Delivery): void {
    if (this.#returning.signal.aborted) {
      this.#giveBack(delivery, "returned");
      return;
    }
    const unfit = this.#unfitness(delivery);
    if (unfit !== undefined) {
      this.#track(this.#bury(delivery, undefined, unfit.reason, unfit.error, delivery.failures));
      return;
    }
    if (delivery.isSuspect) this.#isSuspicious = true;
    if (delivery.recount === undefined) {
      this.#buffer.push(delivery);
      this.#pump();
    } else this.#track(this.#sendOnCounted(delivery));
  }

  /** Nothing new is taken from now on: what waits to be retried in place goes back. */
  drain(): void {
    this.#stopping.abort();
  }

  /**
   * Finishes what has been delivered.
   *
   * @param returnAt aborts when what has not begun is to go back
   * @param deadline aborts when nothing is waited for any longer
   * @returns how many runs were cut
   */
  async stop(returnAt: AbortSignal, deadline: AbortSignal): Promise<number> {
    this.drain();
    await this.#idleOr(returnAt);
    this.#returning.abort();
    for (const delivery of this.#buffer.splice(0)) this.#giveBack(delivery, "returned");
    for (const run of this.#running) run.abort(new Error("the server stops"));
    await this.#idleOr(deadline);
    clearInterval(this.#sweep);
    const cut = [...this.#running];
    for (const run of cut) {
      this.#log.warn(
        { message_id: run.delivery.id, attempt: run.attempt },
        `a run of ${this.definition.name} was cut after ${Math.round(performance.now() - run.startedAt)} ms: the message goes back to ${this.definition.source.queue}`,
      );
      this.#leave(run);
      this.#settled(run.delivery, run.key, "cut", false);
    }
    return cut.length;
  }

  #unfitness(delivery: Delivery): { readonly reason: DeadReason; readonly error: Error } | undefined {
    const { maxMessageBytes, retry } = this.definition;
    const size = delivery.bytes.length;
    if (size > maxMessageBytes)
      return { reason: "oversized", error: new RangeError(`the message has ${size} bytes; max_message_size is ${maxMessageBytes}`) };
    if (delivery.expiresAt !== undefined && delivery.expiresAt < Date.now())
      return { reason: "expired", error: new Error(`the message expired at ${new Date(delivery.expiresAt).toISOString()} (x-ttl)`) };
    if (delivery.redeliveries > Math.max(retry.limit, toleratedRedeliveries))
      return {
        reason: "crashed",
        error: new Error(`the message was handed out ${delivery.redeliveries + 1} times, and no worker has said what became of it`),
      };
    return undefined;
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#running.size < this.definition.concurrency && this.#buffer.length > 0) {
      const index = this.#nextIndex();
      if (index === -1) break;
      if (!this.#parts.slots.take()) {
        this.#parts.slots.whenFree(() => this.#pump());
        break;
      }
      const delivery = (index === 0 ? this.#buffer.shift() : this.#buffer.splice(index, 1)[0]) as Delivery;
      this.#begin(delivery);
    }
    this.#isPumping = false;
    this.#checkIdle();
  }

  /** The first in the buffer whose turn may be now. */
  #nextIndex(): number {
    const holdsSuspects = this.#isSuspicious && this.#suspectsRunning > 0;
    if (!holdsSuspects && this.#busyGroups.size === 0) return 0;
    return this.#buffer.findIndex((delivery) => {
      const group = this.#groupOf(delivery);
      return (group === undefined || !this.#busyGroups.has(group)) && !(holdsSuspects && delivery.isSuspect);
    });
  }

  #groupOf(delivery: Delivery): string | undefined {
    return this.definition.isOrdered ? "" : delivery.group;
  }

  /** A place for its handler has been taken. */
  #begin(delivery: Delivery): void {
    const { slots, requests, appLog } = this.#parts;
    if (delivery.isStale) {
      slots.giveBack();
      this.#failuresHere.delete(delivery);
      return;
    }
    const group = this.#groupOf(delivery);
    if (group !== undefined) this.#busyGroups.add(group);
    const key = this.#finished.keyOf(delivery);
    if (delivery.redelivered && key !== undefined && this.#finished.find(key) !== undefined) {
      slots.giveBack();
      this.#track(this.#runUnlessFinished(delivery));
      return;
    }
    if (key !== undefined) this.#finished.begin(key);
    const run = new QueueRun(this.definition, delivery, key, this.#failuresHere.get(delivery) ?? 0, appLog);
    this.#running.add(run);
    requests.add(run);
    if (delivery.isSuspect) this.#suspectsRunning += 1;
    if (run.attempt === 1 && delivery.sentAt !== undefined) this.#metrics?.lagged((Date.now() - delivery.sentAt.getTime()) / 1000);
    this.#watchTimeouts();
    if (this.#parts.tracing !== undefined) this.#parts.tracing.run(run.trace, () => this.#parseInScope(run));
    else this.#parseInScope(run);
  }

  /** What the handler publishes continues the trace of its message. */
  #parseInScope(run: QueueRun): void {
    if (!this.#traceScope.isWanted) this.#parse(run);
    else
      this.#traceScope.run(
        () => run.trace,
        () => this.#parse(run),
      );
  }

  #parse(run: QueueRun): void {
    const unparsed = run.unparsed();
    let body: unknown;
    try {
      body = this.definition.parse(unparsed);
    } catch (error) {
      this.#endUnparseable(run, error);
      return;
    }
    if (isThenable(body)) {
      Promise.resolve(body).then(
        (parsed) => this.#handle(run, unparsed, parsed),
        (error: unknown) => this.#endUnparseable(run, error),
      );
    } else this.#handle(run, unparsed, body);
  }

  #handle(run: QueueRun, unparsed: UnparsedMessage, body: unknown): void {
    if (run.isOver) return;
    const message: Message = run.message(unparsed, body);
    let result: unknown;
    try {
      result = this.definition.handle(message, run);
    } catch (error) {
      this.#endFailed(run, error);
      return;
    }
    if (isThenable(result)) {
      Promise.resolve(result).then(
        () => this.#endWell(run),
        (error: unknown) => this.#endFailed(run, error),
      );
    } else this.#endWell(run);
  }

  #endWell(run: QueueRun): void {
    if (!this.#leave(run)) return;
    this.#ran(run);
    if (run.delivery.isSuspect) this.#isSuspicious = false;
    const acknowledged = run.delivery.acknowledge();
    if (typeof acknowledged === "boolean") this.#settled(run.delivery, run.key, acknowledged ? "ack" : "stale", true);
    else this.#track(acknowledged.then((heard) => this.#settled(run.delivery, run.key, heard ? "ack" : "stale", true)));
    this.#pump();
  }

  #endUnparseable(run: QueueRun, error: unknown): void {
    if (!this.#leave(run)) return;
    this.#ran(run, error ?? "nothing was thrown");
    this.#track(this.#bury(run.delivery, run.key, "unparseable", error, failuresOf(run)));
    this.#pump();
  }

  #endFailed(run: QueueRun, error: unknown): void {
    if (!this.#leave(run)) return;
    this.#ran(run, error ?? "nothing was thrown");
    if (isNamed(error, "FatalError")) {
      // Unsettled until the subscription is cancelled: given back sooner, it would come straight back.
      if (run.key !== undefined) this.#finished.end(run.key, false);
      this.#metrics?.left("returned");
      this.#parts.onFatal(error);
    } else if (isNamed(error, "RejectMessage")) {
      this.#track(this.#bury(run.delivery, run.key, "rejected", error, failuresOf(run)));
    } else this.#track(this.#retry(run, error));
    this.#pump();
  }

  #ran(run: QueueRun, error?: unknown): void {
    const { tracing } = this.#parts;
    this.#metrics?.ran(error === undefined, (performance.now() - run.startedAt) / 1000);
    if (tracing !== undefined) traceRun(tracing, run, this.definition, error);
  }

  async #retry(run: QueueRun, error: unknown): Promise<void> {
    const { delivery, key } = run;
    const { retry, name, isOrdered } = this.definition;
    const failures = failuresOf(run);
    const limit = Math.min(retry.limit, delivery.retryLimit ?? retry.limit);
    if (failures > limit) return this.#bury(delivery, key, "retries", error, failures);
    const delayMs = this.#delayOf(error, failures);
    run.log.warn(
      { err: error, retry_ms: delayMs },
      `${name}: attempt ${run.attempt} failed, retry ${failures} of ${limit} comes in ${delayMs} ms`,
    );
    if (isOrdered || delivery.group !== undefined) return this.#retryInPlace(run, delayMs);
    await this.#persist(delivery, key, "retry", () => delivery.retry(delayMs, this.#failure(error, failures, limit)));
  }

  #delayOf(error: unknown, failures: number): number {
    const { delaysMs } = this.definition.retry;
    const usual = delaysMs[Math.min(failures, delaysMs.length) - 1] ?? 0;
    if (!isNamed(error, "RetryMessage") || error.after === undefined) return usual;
    try {
      return millisecondsOf(error.after);
    } catch (err) {
      this.#log.warn({ err, after: error.after }, `a RetryMessage has an \`after\` that is no timespan: the consumer's own delay is taken`);
      return usual;
    }
  }

  /** Messages of a group keep their order: the group waits for the one that failed. */
  async #retryInPlace({ delivery, key, failuresHere }: QueueRun, delayMs: number): Promise<void> {
    if (key !== undefined) this.#finished.end(key, false);
    await wait(systemClock, delayMs, this.#stopping.signal);
    if (this.#stopping.signal.aborted) {
      this.#giveBack(delivery, "returned");
      return;
    }
    this.#metrics?.left("retry");
    this.#failuresHere.set(delivery, failuresHere + 1);
    this.#freeGroup(delivery);
    this.#buffer.unshift(delivery);
    this.#pump();
  }

  async #bury(delivery: Delivery, key: string | undefined, reason: DeadReason, error: unknown, failures: number): Promise<void> {
    const { keepsDeadLetters, name, retry } = this.definition;
    const fate = keepsDeadLetters ? "is a dead letter now" : "is thrown away, as dead_letter = false says";
    this.#log.error({ err: error, message_id: delivery.id, reason }, `${name}: a message ${fate} (${reason})`);
    if (!keepsDeadLetters) {
      await delivery.acknowledge();
      this.#settled(delivery, key, "discarded", true);
      return;
    }
    await this.#persist(delivery, key, "dead", () => delivery.bury(reason, this.#failure(error, failures, retry.limit)));
  }

  #failure(error: unknown, failures: number, retryLimit: number): Failure {
    return { error, failures, retryLimit };
  }

  /**
   * Writes a retry or a dead letter. While that can't be done, the message is held: it is never acknowledged without.
   */
  async #persist(delivery: Delivery, key: string | undefined, outcome: QueueOutcome, write: () => Promise<void>): Promise<void> {
    const giveUpAt = performance.now() + holdFailedMs;
    for (let failures = 0; ; failures += 1) {
      if (delivery.isStale) return this.#settled(delivery, key, "stale", false);
      try {
        await write();
        return this.#settled(delivery, key, outcome, outcome !== "retry" || delivery.isCopiedForRetry);
      } catch (err) {
        if (failures === 0)
          this.#log.error({ err, message_id: delivery.id }, `the ${outcome} of a message can't be written yet: it is held`);
      }
      await wait(systemClock, backOff(failures), this.#returning.signal);
      if (this.#returning.signal.aborted) {
        if (key !== undefined) this.#finished.end(key, false);
        return this.#giveBack(delivery, "returned");
      }
      if (performance.now() < giveUpAt) continue;
      await delivery.fail();
      return this.#settled(delivery, key, "returned", false);
    }
  }

  /** A message that came back without a word, on a queue that does not count such returns. */
  async #sendOnCounted(delivery: Delivery): Promise<void> {
    const key = this.#finished.keyOf(delivery);
    if (key !== undefined && (await this.#finished.find(key)) === true) return this.#acknowledgeDuplicate(delivery);
    if (delivery.isStale) return;
    try {
      await delivery.recount?.();
      this.#metrics?.left("recounted");
    } catch (err) {
      this.#log.warn({ err, message_id: delivery.id }, "a redelivered message can't be counted as such: it runs as it is");
      this.#buffer.push(delivery);
      this.#pump();
    }
  }

  /** It runs here already, or has: only its acknowledgement was lost. */
  async #runUnlessFinished(delivery: Delivery): Promise<void> {
    const key = this.#finished.keyOf(delivery);
    const isFinished = key !== undefined && (await this.#finished.find(key)) === true;
    if (isFinished) return this.#acknowledgeDuplicate(delivery);
    this.#freeGroup(delivery);
    if (!delivery.isStale) this.#buffer.unshift(delivery);
    this.#pump();
  }

  async #acknowledgeDuplicate(delivery: Delivery): Promise<void> {
    await delivery.acknowledge();
    this.#log.info({ message_id: delivery.id }, "a message came again that had been handled here: it is acknowledged");
    this.#settled(delivery, undefined, "deduplicated", true);
  }

  #giveBack(delivery: Delivery, outcome: QueueOutcome): void {
    const given = delivery.giveBack();
    if (given !== undefined) this.#track(given);
    this.#settled(delivery, undefined, outcome, false);
  }

  #settled(delivery: Delivery, key: string | undefined, outcome: QueueOutcome, isFinished: boolean): void {
    if (key !== undefined) this.#finished.end(key, isFinished);
    this.#failuresHere.delete(delivery);
    this.#freeGroup(delivery);
    this.#metrics?.left(outcome);
  }

  #freeGroup(delivery: Delivery): void {
    const group = this.#groupOf(delivery);
    if (group === undefined || !this.#busyGroups.delete(group)) return;
    this.#pump();
  }

  /** @returns whether the run was still waited for */
  #leave(run: QueueRun): boolean {
    if (run.isOver) return false;
    run.isOver = true;
    this.#running.delete(run);
    this.#parts.requests.delete(run);
    if (run.delivery.isSuspect) this.#suspectsRunning -= 1;
    this.#parts.slots.giveBack();
    return true;
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((err: unknown) => this.#log.error({ err }, "a message could not be settled"))
      .finally(() => {
        this.#leaving.delete(tracked);
        this.#pump();
      });
    this.#leaving.add(tracked);
  }

  /** One timer for all runs: one for each would cost more than most handlers. */
  #watchTimeouts(): void {
    if (this.#sweep !== undefined) return;
    const { messageTimeoutMs } = this.definition;
    const intervalMs = Math.max(10, Math.min(1000, messageTimeoutMs / 10));
    this.#sweep = setInterval(() => {
      const begunBefore = performance.now() - messageTimeoutMs;
      for (const run of this.#running) {
        if (run.startedAt > begunBefore) continue;
        const error = new Error(`the handler took longer than message_timeout, ${messageTimeoutMs} ms`);
        run.abort(error);
        this.#endFailed(run, error);
      }
    }, intervalMs);
    this.#sweep.unref();
  }

  #checkIdle(): void {
    if (this.#onIdle === undefined || this.#buffer.length + this.#running.size + this.#leaving.size > 0) return;
    this.#onIdle();
  }

  #idleOr(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        signal.removeEventListener("abort", end);
        this.#onIdle = undefined;
        resolve();
      };
      this.#onIdle = end;
      signal.addEventListener("abort", end, { once: true });
      if (signal.aborted) end();
      else this.#checkIdle();
    });
  }
}

function failuresOf({ delivery, failuresHere }: QueueRun): number {
  return delivery.failures + failuresHere + 1;
}
