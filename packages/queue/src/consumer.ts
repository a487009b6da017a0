import { traceScope, type ActiveRequests, type Tracing } from "@tsserve/server";
import type { Logger } from "pino";
import type { Sink } from "./broker.ts";
import type { ConsumerDefinition } from "./consumer-definition.ts";
import type { Delivery } from "./delivery.ts";
import { FailedRuns } from "./failed-runs.ts";
import { FinishedMessages } from "./finished-messages.ts";
import { InterruptedMessages } from "./interrupted-messages.ts";
import { Leaving } from "./leaving.ts";
import { messageKey } from "./message-key.ts";
import { isNamed, type BrokerErrorReason } from "./outcome-errors.ts";
import type { QueueMetrics } from "./queue-metrics.ts";
import { QueueRun } from "./queue-run.ts";
import { Redeliveries } from "./redeliveries.ts";
import { runHandler, type RunEnds } from "./run-handler.ts";
import type { Slots } from "./slots.ts";
import { RunTimeouts } from "./run-timeouts.ts";
import { traceRun } from "./trace-run.ts";
import { Turns } from "./turns.ts";
import { unfitness } from "./unfitness.ts";

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
  readonly #interrupted = new InterruptedMessages();
  readonly #turns: Turns;
  readonly #leaving: Leaving;
  readonly #failedRuns: FailedRuns;
  readonly #redeliveries: Redeliveries;
  readonly #running = new Set<QueueRun>();
  readonly #ends: RunEnds;
  readonly #timeouts: RunTimeouts;
  #isPumping = false;
  #isWaitingForSlot = false;
  readonly #traceScope = traceScope();
  readonly #stopping = new AbortController();
  /** Aborts when what has not begun goes back. */
  readonly #returning = new AbortController();
  #onIdle: (() => void) | undefined;

  constructor(definition: ConsumerDefinition, parts: ConsumerParts) {
    this.definition = definition;
    this.#parts = parts;
    const log = parts.log.child({ consumer: definition.name, queue: definition.source.queue });
    const metrics = parts.metricsOf(this);
    const finished = new FinishedMessages(definition.rememberedIds, this.#running);
    const turns = new Turns(definition.isOrdered);
    const pump = (): void => this.#pump();
    const interrupted = this.#interrupted;
    const leaving = new Leaving({ turns, finished, interrupted, log, metrics, returning: this.#returning.signal, onLeft: pump });
    const shared = { turns, finished, leaving, log, metrics };
    this.#log = log;
    this.#metrics = metrics;
    this.#finished = finished;
    this.#turns = turns;
    this.#leaving = leaving;
    this.#failedRuns = new FailedRuns({ ...shared, definition, stopping: this.#stopping.signal, onLeft: pump });
    this.#redeliveries = new Redeliveries({ ...shared, definition, interrupted, failedRuns: this.#failedRuns, onAdded: pump });
    this.#timeouts = new RunTimeouts(this.#running, definition.messageTimeoutMs, (run, error) => this.#endFailed(run, error));
    this.#ends = {
      handled: (run) => this.#endWell(run),
      unparseable: (run, error) => this.#endUnparseable(run, error),
      failed: (run, error) => this.#endFailed(run, error),
    };
  }

  get active(): number {
    return this.#running.size;
  }

  get buffered(): number {
    return this.#turns.size;
  }

  subscribed(): void {
    this.isSubscribed = true;
    this.#interrupted.resumed();
    this.#log.info(`consuming from ${this.definition.source.queue}`);
  }

  unsubscribed(reason: BrokerErrorReason, error: Error): void {
    if (this.isSubscribed) this.#log.error({ reason }, `the subscription is gone, and is tried again: ${error.message}`);
    else this.#log.warn({ reason }, `can't subscribe yet: ${error.message}`);
    this.isSubscribed = false;
    this.lastError = error;
    this.#metrics?.lostSubscription(reason);
    for (const { delivery } of this.#running) this.#interrupted.lost(delivery);
    for (const delivery of this.#leaving.writing) this.#interrupted.lost(delivery);
    this.#turns.dropStale();
    this.#checkIdle();
  }

  unheard(delivery: Delivery): void {
    this.#interrupted.finished(delivery);
  }

  deliver(delivery: Delivery): void {
    if (this.#returning.signal.aborted) {
      this.#leaving.giveBack(delivery);
      return;
    }
    const unfit = unfitness(delivery, this.definition);
    if (unfit !== undefined) this.#leaving.track(this.#failedRuns.bury(delivery, undefined, unfit.reason, unfit.error, delivery.failures));
    else if (delivery.isUnexplained === true || (delivery.redelivered && this.#interrupted.knows(delivery)))
      this.#leaving.track(this.#redeliveries.comeBack(delivery));
    else {
      if (this.definition.isOrdered && delivery.isSuspect) this.#tellOfReturn(delivery);
      this.#turns.add(delivery);
      this.#pump();
    }
  }

  /** In order nothing can be sent on with its return counted: should it end its worker each time, this is all that tells of it. */
  #tellOfReturn({ id }: Delivery): void {
    const text =
      "a message comes again, and nothing is known of its last run: if that ended its worker, it holds up all that come after it";
    this.#log.warn({ message_id: id }, text);
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
    for (const delivery of this.#turns.takeAll()) this.#leaving.giveBack(delivery);
    for (const run of this.#running) run.abort(new Error("the server stops"));
    await this.#idleOr(deadline);
    this.#timeouts.stop();
    const cut = [...this.#running];
    for (const run of cut) this.#cut(run);
    return cut.length;
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#running.size < this.definition.concurrency && this.#turns.size > 0) {
      const index = this.#turns.next();
      if (index === -1) break;
      if (!this.#parts.slots.take()) {
        this.#waitForSlot();
        break;
      }
      this.#begin(this.#turns.take(index));
    }
    this.#isPumping = false;
    this.#checkIdle();
  }

  #waitForSlot(): void {
    if (this.#isWaitingForSlot) return;
    this.#isWaitingForSlot = true;
    this.#parts.slots.whenFree(() => {
      this.#isWaitingForSlot = false;
      this.#pump();
    });
  }

  /** A place for its handler has been taken. */
  #begin(delivery: Delivery): void {
    const { slots, requests, appLog, tracing } = this.#parts;
    if (delivery.isStale) {
      slots.giveBack();
      this.#turns.freeGroup(delivery);
      return;
    }
    const key = messageKey(delivery);
    if (delivery.redelivered && key !== undefined && this.#finished.find(key) !== undefined) {
      slots.giveBack();
      this.#leaving.track(this.#redeliveries.runUnlessFinished(delivery));
      return;
    }
    const run = new QueueRun(this.definition, delivery, key, this.#failedRuns.failuresHere(delivery), appLog);
    this.#running.add(run);
    requests.add(run);
    this.#turns.begun(delivery);
    if (run.attempt === 1 && delivery.sentAt !== undefined) this.#metrics?.lagged((Date.now() - delivery.sentAt.getTime()) / 1000);
    this.#timeouts.watch();
    if (tracing === undefined) this.#runInScope(run);
    else tracing.run(run.trace, () => this.#runInScope(run), "consumer");
  }

  /** What the handler publishes continues the trace of its message. */
  #runInScope(run: QueueRun): void {
    if (!this.#traceScope.isWanted) runHandler(run, this.definition, this.#ends);
    else
      this.#traceScope.run(
        () => run.trace,
        () => runHandler(run, this.definition, this.#ends),
      );
  }

  #endWell(run: QueueRun): void {
    if (!this.#leave(run, true)) return;
    this.#ran(run);
    this.#leaving.acknowledge(run.delivery, run.key);
    this.#pump();
  }

  #endUnparseable(run: QueueRun, error: unknown): void {
    if (!this.#leave(run, false)) return;
    this.#ran(run, error ?? "nothing was thrown");
    this.#leaving.track(this.#failedRuns.bury(run.delivery, run.key, "unparseable", error, run.failures));
    this.#pump();
  }

  #endFailed(run: QueueRun, error: unknown): void {
    if (!this.#leave(run, false)) return;
    this.#ran(run, error ?? "nothing was thrown");
    if (isNamed(error, "FatalError")) {
      run.delivery.keep?.();
      if (run.key !== undefined) this.#finished.end(run.key, false);
      if (run.delivery.isStale) this.#interrupted.failed(run.delivery);
      this.#metrics?.left("returned");
      this.#parts.onFatal(error);
    } else if (isNamed(error, "RejectMessage"))
      this.#leaving.track(this.#failedRuns.bury(run.delivery, run.key, "rejected", error, run.failures));
    else this.#leaving.track(this.#failedRuns.retry(run, error));
    this.#pump();
  }

  #ran(run: QueueRun, error?: unknown): void {
    const { tracing } = this.#parts;
    this.#metrics?.ran(error === undefined, (performance.now() - run.startedAt) / 1000);
    if (tracing !== undefined) traceRun(tracing, run, this.definition, error);
  }

  /** At the deadline of a stop. */
  #cut(run: QueueRun): void {
    const { name, source } = this.definition;
    this.#log.warn(
      { message_id: run.delivery.id, attempt: run.attempt },
      `a run of ${name} was cut after ${Math.round(performance.now() - run.startedAt)} ms: the message goes back to ${source.queue}`,
    );
    this.#leave(run, false);
    this.#leaving.settled(run.delivery, run.key, "cut", false);
  }

  /** @returns whether the run was still waited for */
  #leave(run: QueueRun, isWell: boolean): boolean {
    if (run.isOver) return false;
    run.isOver = true;
    this.#running.delete(run);
    this.#parts.requests.delete(run);
    this.#turns.ended(run.delivery, isWell);
    this.#parts.slots.giveBack();
    return true;
  }

  #checkIdle(): void {
    if (this.#onIdle === undefined || this.#turns.size + this.#running.size + this.#leaving.size > 0) return;
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
