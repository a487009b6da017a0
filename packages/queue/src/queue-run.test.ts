import type { Logger } from "pino";
import { expect, test } from "vitest";
import type { ConsumerDefinition } from "./consumer-definition.ts";
import type { Delivery } from "./delivery.ts";
import { QueueRun } from "./queue-run.ts";
import { readConsumers } from "./read-consumers.ts";
import { queueSettings } from "./settings.ts";

const [definition] = readConsumers({ consumers: [{ name: "c", amqp: { queue: "q" }, handle: () => undefined }] }, queueSettings({})) as [
  ConsumerDefinition,
];

/** A run, and what its log is made with. */
function made(own: Partial<Delivery> = {}, failuresHere = 0) {
  const bindings: object[] = [];
  const log = { child: (given: object) => (bindings.push(given), log) } as unknown as Logger;
  const delivery = {
    id: "m",
    bytes: Buffer.from("{}"),
    headers: {},
    routingKey: "order.new",
    failures: 2,
    earlierAttempts: 3,
    redelivered: true,
    receivedAt: 5,
    ...own,
  } as unknown as Delivery;
  return { run: new QueueRun(definition, delivery, undefined, failuresHere, log), bindings, delivery };
}

test.each([
  [0, 0, 0, 1, 1],
  [2, 3, 0, 4, 3],
  [2, 3, 2, 6, 5],
])("%i failures, %i attempts before, %i failures here: attempt %i, failures %i", (failures, earlierAttempts, here, attempt, failed) => {
  expect(made({ failures, earlierAttempts }, here).run).toMatchObject({ attempt, failures: failed });
});

test("the parser's message and the handler's are one, with the body", () => {
  const { run, delivery } = made();
  const unparsed = run.unparsed();
  const message = run.message({ id: 1 });
  expect(message).toBe(unparsed);
  expect(message).toMatchObject({ id: "m", body: { id: 1 }, routingKey: "order.new", queue: "q", attempt: 4, redelivered: true });
  expect([message.bytes, message.receivedAt.getTime()]).toEqual([delivery.bytes, 5]);
});

test("a signal that is asked for after the abort is aborted, with the first reason", () => {
  const { run } = made();
  const [first, second] = [new Error("first"), new Error("second")];
  run.abort(first);
  run.abort(second);
  expect([run.signal.aborted, run.signal.reason]).toEqual([true, first]);
  const asked = made().run;
  const { signal } = asked;
  expect(signal.aborted).toBe(false);
  asked.abort(second);
  expect([signal.aborted, signal.reason, asked.signal === signal]).toEqual([true, second, true]);
});

test("its log is made once, when it is asked for, with the ids; one that a publisher made endless is cut", () => {
  const { run, bindings } = made({ id: "x".repeat(5000) });
  expect(bindings).toEqual([]);
  void run.log;
  void run.log;
  const { traceId, spanId } = run.trace;
  expect(bindings).toEqual([{ trace_id: traceId, span_id: spanId, message_id: "x".repeat(128), queue: "q", consumer: "c", attempt: 4 }]);
  const nameless = made({ id: undefined });
  void nameless.run.log;
  expect(nameless.bindings[0]).not.toHaveProperty("message_id");
});

test("whoever looks at what is in progress sees its queue, its id and its age", () => {
  const description = made().run.describe();
  expect(description).toMatchObject({ method: "AMQP", route: "q", id: "m" });
  expect(description.ageMs).toBeGreaterThanOrEqual(0);
});
