import type { RequestSpan, Tracing } from "@tsserve/server";
import type { Logger } from "pino";
import { expect, test, vi } from "vitest";
import type { ConsumerDefinition } from "./consumer-definition.ts";
import type { Delivery } from "./delivery.ts";
import { QueueRun } from "./queue-run.ts";
import { readConsumers } from "./read-consumers.ts";
import { queueSettings } from "./settings.ts";
import { traceRun } from "./trace-run.ts";

const [definition] = readConsumers({ consumers: [{ name: "c", amqp: { queue: "q" }, handle: () => undefined }] }, queueSettings({})) as [
  ConsumerDefinition,
];
const traceId = "0af7651916cd43dd8448eb211c80319c";

/** The spans that are told of a run. */
function spansOf(own: Partial<Delivery>, error?: unknown, records = true): RequestSpan[] {
  const spans: RequestSpan[] = [];
  const leave = vi.fn();
  const tracing = { leave, records: () => records, record: (span: RequestSpan) => spans.push(span) } as unknown as Tracing;
  const delivery = { id: "m", bytes: Buffer.from("{}"), routingKey: "order.new", earlierAttempts: 1, ...own } as unknown as Delivery;
  const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
  traceRun(tracing, new QueueRun(definition, { ...delivery, headers }, undefined, 0, {} as Logger), definition, error);
  // Recorded or not, nothing else belongs to it.
  expect(leave).toHaveBeenCalledOnce();
  return spans;
}

test("a run is a span of its message's trace, by the conventions for messaging", () => {
  const [span] = spansOf({});
  expect(span).toMatchObject({
    name: "process q",
    kind: "consumer",
    trace: { traceId, parentId: "b7ad6b7169203331", sampled: true },
    failure: undefined,
    attributes: {
      "messaging.system": "rabbitmq",
      "messaging.destination.name": "q",
      "messaging.operation.type": "process",
      "messaging.message.body.size": 2,
      "messaging.message.id": "m",
      "messaging.rabbitmq.destination.routing_key": "order.new",
      "messaging.consumer.name": "c",
      "tsserve.attempt": 2,
    },
  });
  expect(span?.endedAt).toBeGreaterThanOrEqual(span?.startedAt ?? Number.NaN);
});

test("what a message does not have is not said", () => {
  const [span] = spansOf({ id: undefined, routingKey: undefined });
  for (const name of ["messaging.message.id", "messaging.rabbitmq.destination.routing_key", "error.type"])
    expect(span?.attributes).not.toHaveProperty([name]);
});

test.each([
  [new TypeError("no luck"), "TypeError", "no luck"],
  ["a text", "Error", "a value that is no Error was thrown: a text"],
  [null, "Error", "a value that is no Error was thrown: null"],
  [
    Object.defineProperty(new Error("odd"), "name", {
      get: () => {
        throw new Error("a getter");
      },
    }),
    "Error",
    "odd",
  ],
])("a failed run says of what kind (%#)", (error, type, failure) => {
  const [span] = spansOf({}, error);
  expect([span?.attributes["error.type"], span?.failure]).toEqual([type, failure]);
});

test("one that is not recorded is not told of", () => expect(spansOf({}, undefined, false)).toEqual([]));
