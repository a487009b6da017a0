import { asError } from "@tsserve/config";
import type { Tracing } from "@tsserve/server";
import type { ConsumerDefinition } from "./consumer-definition.ts";
import type { QueueRun } from "./queue-run.ts";

/** Tells of a run that is over, by OpenTelemetry's semantic conventions for messaging. */
export function traceRun(tracing: Tracing, run: QueueRun, { source, name }: ConsumerDefinition, error?: unknown): void {
  const { trace, delivery, startedAt, attempt } = run;
  tracing.leave(trace);
  if (!tracing.records(trace)) return;
  const attributes: Record<string, string | number | boolean> = {
    "messaging.system": source.system,
    "messaging.destination.name": source.queue,
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "messaging.message.body.size": delivery.bytes.length,
    "messaging.consumer.name": name,
    "tsserve.attempt": attempt,
  };
  if (delivery.id !== undefined) attributes["messaging.message.id"] = delivery.id;
  if (delivery.routingKey !== undefined) attributes["messaging.rabbitmq.destination.routing_key"] = delivery.routingKey;
  const thrown = error === undefined ? undefined : asError(error);
  if (thrown !== undefined) attributes["error.type"] = thrown.name;
  const failure = thrown?.message;
  tracing.record({ name: `process ${source.queue}`, kind: "consumer", trace, startedAt, endedAt: performance.now(), attributes, failure });
}
