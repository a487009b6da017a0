import type { Meter, MeterCounter, MeterGauge, MeterHistogram } from "@tsserve/server";
import type { BaseplateMetrics } from "./amqp/baseplate-metrics.ts";
import type { ConsumerDefinition } from "./consumer-definition.ts";
import type { DeadReason } from "./delivery.ts";
import type { BrokerErrorReason } from "./outcome-errors.ts";
import { runsBySuccess } from "./runs-by-success.ts";

/** What becomes of a message: a closed set, as it is a metric's label. */
export type QueueOutcome =
  /** Handled, and acknowledged. */
  | "ack"
  /** Comes back after a delay. */
  | "retry"
  /** Among the dead letters. */
  | "dead"
  /** Thrown away, because `dead_letter = false`. */
  | "discarded"
  /** Went back to its queue without a run. */
  | "returned"
  /** Its run was cut at the deadline of the stop; it went back to its queue. */
  | "cut"
  /** Had been handled here already: only its acknowledgement was missing. */
  | "deduplicated"
  /** Was handed out again because no worker has said what became of it; sent on with that counted. */
  | "recounted"
  /** Its run has ended, but the broker had taken it back by then, and hands it out again. */
  | "stale";

const total = {
  name: "queue_consumer_messages_total",
  help: "Messages that left a consumer, by what became of them.",
  type: "counter",
} as const;
const latency = { name: "queue_consumer_latency_seconds", label: "queue_success" } as const;
const lag = {
  name: "queue_consumer_lag_seconds",
  help: "From the time that a message was sent to its first run.",
  type: "histogram",
  buckets: [0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 21_600, 86_400],
} as const;
const active = { name: "queue_consumer_active_messages", help: "Messages whose handler runs.", type: "gauge" } as const;
const buffered = {
  name: "queue_consumer_buffered_messages",
  help: "Messages that wait in a worker for their turn.",
  type: "gauge",
} as const;
const connected = {
  name: "queue_consumer_connected",
  help: "Whether the consumer has its subscription: 1 or 0 for each worker, summed up.",
  type: "gauge",
} as const;
const reconnects = {
  name: "queue_consumer_reconnects_total",
  help: "How often a subscription was lost, or could not be had, by reason.",
  type: "counter",
} as const;

export interface QueueFigures {
  readonly active: number;
  readonly buffered: number;
  readonly isSubscribed: boolean;
}

/** The metrics of one consumer. */
export class QueueMetrics {
  readonly #meter: Meter;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #outcomes = new Map<QueueOutcome, MeterCounter>();
  readonly #reconnects = new Map<string, MeterCounter>();
  readonly #ran: (success: boolean, seconds: number) => void;
  readonly #lag: MeterHistogram;

  readonly #baseplate: BaseplateMetrics | undefined;

  /** @param baseplate the same under other names, where somebody wants them */
  constructor(meter: Meter, { name, source }: ConsumerDefinition, figures: () => QueueFigures, baseplate?: BaseplateMetrics) {
    this.#meter = meter;
    this.#baseplate = baseplate;
    this.#labels = { queue_system: source.system, queue_name: source.queue, queue_consumer: name };
    this.#ran = runsBySuccess(meter, latency, this.#labels);
    this.#lag = meter.histogram(lag, this.#labels);
    const gauges: readonly [MeterGauge, (now: QueueFigures) => number][] = [
      [meter.gauge(active, this.#labels), (now) => now.active],
      [meter.gauge(buffered, this.#labels), (now) => now.buffered],
      [meter.gauge(connected, this.#labels), (now) => Number(now.isSubscribed)],
    ];
    meter.onSample(() => {
      const now = figures();
      for (const [gauge, of] of gauges) gauge.set(of(now));
    });
  }

  left(outcome: QueueOutcome): void {
    let counter = this.#outcomes.get(outcome);
    if (counter === undefined) {
      counter = this.#meter.counter(total, { ...this.#labels, queue_outcome: outcome });
      this.#outcomes.set(outcome, counter);
    }
    counter.add(1);
    if (outcome === "retry") this.#baseplate?.retried();
  }

  /** It is among the dead letters, or thrown away instead. */
  buried(reason: DeadReason): void {
    this.#baseplate?.buried(reason);
  }

  ran(success: boolean, seconds: number): void {
    this.#ran(success, seconds);
    this.#baseplate?.ran(success, seconds);
  }

  lagged(seconds: number): void {
    this.#lag.observe(Math.max(0, seconds));
  }

  lostSubscription(reason: BrokerErrorReason): void {
    let counter = this.#reconnects.get(reason);
    if (counter === undefined) {
      counter = this.#meter.counter(reconnects, { ...this.#labels, queue_reason: reason });
      this.#reconnects.set(reason, counter);
    }
    counter.add(1);
  }
}
