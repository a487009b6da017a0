import { Meter } from "@tsserve/server";
import { expect, test } from "vitest";
import { BaseplateMetrics } from "./amqp/baseplate-metrics.ts";
import type { AmqpSource } from "./consumer-definition.ts";
import { QueueMetrics } from "./queue-metrics.ts";
import { readConsumers } from "./read-consumers.ts";
import { queueSettings } from "./settings.ts";

/** What a meter has counted: of a histogram how many, by name and the labels that tell its series apart. */
function counted(meter: Meter, ...telling: string[]): Record<string, number> {
  const entries = meter.series.map(({ family, labels, cell, cells }) => {
    const values = meter.values.slice(cell, cell + cells);
    const count = family.type === "histogram" ? values.slice(0, -1).reduce((sum, value) => sum + value, 0) : (values[0] ?? 0);
    const told = telling.flatMap((label) => labels[label] ?? []).join(" ");
    return [`${family.name} ${told}`.trim(), count] as const;
  });
  return Object.fromEntries(entries.filter(([, count]) => count !== 0));
}

function made(amqp: object, settings: Record<string, string> = {}): { meter: Meter; metrics: QueueMetrics; source: AmqpSource } {
  const read = queueSettings(settings);
  const [definition] = readConsumers({ consumers: [{ name: "orders", amqp, handle: () => undefined }] }, read);
  if (definition === undefined || definition.source.system !== "rabbitmq") throw new Error("expected a consumer");
  const meter = new Meter();
  const { source } = definition;
  const figures = { active: 3, buffered: 2, isSubscribed: true };
  const baseplate = read.hasBaseplateNames ? new BaseplateMetrics(meter, source, read.amqp, () => 3) : undefined;
  return { meter, metrics: new QueueMetrics(meter, definition, () => figures, baseplate), source };
}

function use(metrics: QueueMetrics): void {
  metrics.ran(true, 0.1);
  metrics.ran(false, 0.1);
  metrics.ran(false, 0.1);
  metrics.lagged(-5);
  metrics.left("ack");
  metrics.left("ack");
  metrics.left("retry");
  metrics.left("dead");
  metrics.buried("expired");
  metrics.lostSubscription("timeout");
}

test("a consumer's messages are counted by what became of them", () => {
  const { meter, metrics } = made({ queue: "orders" });
  use(metrics);
  meter.sample();
  expect(counted(meter, "queue_outcome", "queue_success", "queue_reason")).toEqual({
    "queue_consumer_latency_seconds true": 1,
    "queue_consumer_latency_seconds false": 2,
    queue_consumer_lag_seconds: 1,
    queue_consumer_active_messages: 3,
    queue_consumer_buffered_messages: 2,
    queue_consumer_connected: 1,
    "queue_consumer_messages_total ack": 2,
    "queue_consumer_messages_total retry": 1,
    "queue_consumer_messages_total dead": 1,
    "queue_consumer_reconnects_total timeout": 1,
  });
});

test("baseplate's names are kept beside them where somebody wants them", () => {
  const settings = { "metrics.baseplate_names": "true", "amqp.host": "a,b", "amqp.virtualhost": "shop" };
  const { meter, metrics } = made({ queue: "orders", routingKeys: ["order.*", "refund"] }, settings);
  use(metrics);
  meter.sample();
  const all = counted(meter, "amqp_success", "reason_code");
  expect(Object.fromEntries(Object.entries(all).filter(([name]) => name.startsWith("amqp_")))).toEqual({
    "amqp_consumer_message_processing_time_seconds true": 1,
    "amqp_consumer_message_processing_time_seconds false": 2,
    "amqp_consumer_messages_processed_total true": 1,
    "amqp_consumer_messages_processed_total false": 2,
    amqp_consumer_messages_republished_total: 1,
    "amqp_consumer_messages_rejected_total ttl": 1,
    amqp_consumer_active_messages: 3,
  });
  const labels = {
    amqp_address: "a:5672,b:5672",
    amqp_virtual_host: "shop",
    amqp_exchange_name: "amq.topic",
    amqp_routing_key: "order.*,refund",
  };
  for (const series of meter.series.filter(({ family }) => family.name.startsWith("amqp_"))) expect(series.labels).toMatchObject(labels);
});

test("a queue that others bind is known by its name", () => {
  const { meter } = made({ queue: "orders" }, { "metrics.baseplate_names": "true" });
  const series = meter.series.find(({ family }) => family.name === "amqp_consumer_active_messages");
  expect(series?.labels).toMatchObject({ amqp_exchange_name: "", amqp_routing_key: "orders" });
});
