import type { Meter } from "@tsserve/server";
import type { AmqpSource } from "../consumer-definition.ts";
import type { DeadReason } from "../delivery.ts";
import { runsBySuccess } from "../runs-by-success.ts";
import type { AmqpSettings } from "./settings.ts";

const latency = { name: "amqp_consumer_message_processing_time_seconds", label: "amqp_success" } as const;
const processed = { name: "amqp_consumer_messages_processed_total", help: "Runs of handlers that are over.", type: "counter" } as const;
const republished = {
  name: "amqp_consumer_messages_republished_total",
  help: "Messages that come back after a delay.",
  type: "counter",
} as const;
const rejected = { name: "amqp_consumer_messages_rejected_total", help: "Messages that are dead letters now.", type: "counter" } as const;
const active = { name: "amqp_consumer_active_messages", help: "Messages whose handler runs.", type: "gauge" } as const;

/**
 * The metrics of baseplate.py's queue consumers (baseplate/frameworks/queue_consumer/kombu.py), for dashboards and alerts that know
 * their names. `amqp_routing_key` is what the queue is bound for, not the message's own: keys that publishers make up would be as many
 * series.
 */
export class BaseplateMetrics {
  readonly #meter: Meter;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #ran: (success: boolean, seconds: number) => void;

  /** @param activeNow how many handlers run */
  constructor(
    meter: Meter,
    { bindings, exchange, queue }: AmqpSource,
    { hosts, port, virtualHost }: AmqpSettings,
    activeNow: () => number,
  ) {
    this.#meter = meter;
    this.#labels = {
      amqp_address: hosts.map((host) => `${host}:${port}`).join(","),
      amqp_virtual_host: virtualHost,
      // Every queue is bound to the default exchange for its name.
      amqp_exchange_name: bindings.length === 0 ? "" : exchange,
      amqp_routing_key: bindings.length === 0 ? queue : bindings.join(","),
    };
    this.#ran = runsBySuccess(meter, latency, this.#labels);
    const gauge = meter.gauge(active, this.#labels);
    meter.onSample(() => gauge.set(activeNow()));
  }

  ran(success: boolean, seconds: number): void {
    this.#ran(success, seconds);
    this.#meter.counter(processed, { ...this.#labels, amqp_success: String(success) }).add(1);
  }

  retried(): void {
    this.#meter.counter(republished, this.#labels).add(1);
  }

  /** Baseplate knows two reasons, `ttl` and `retries`; what it rejects at once has none of its own. */
  buried(reason: DeadReason): void {
    const code = reason === "expired" ? "ttl" : reason;
    this.#meter.counter(rejected, { ...this.#labels, reason_code: code }).add(1);
  }
}
