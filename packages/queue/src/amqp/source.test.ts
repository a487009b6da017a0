import { expect, test } from "vitest";
import type { AmqpConsumerOptions } from "../consumer-options.ts";
import { amqpSettings } from "./settings.ts";
import { amqpRoute, amqpSource, encodeRoutingKey } from "./source.ts";

test.each([
  ["order.new", "order.new"],
  ["a.*.#", "a.*.#"],
  ["with space-and_more", "with space-and_more"],
  ["ä", "___c3a4_"],
  ["a\nb", "a___0a_b"],
  ["😀", "___f09f9880_"],
  ["", ""],
])("the routing key %j is bound as %j", (key, encoded) => expect(encodeRoutingKey(key)).toBe(encoded));

const of = (options: AmqpConsumerOptions, raw: Record<string, string> = {}, concurrency = 5, processId = "p") =>
  amqpSource("orders", options, amqpSettings(raw), concurrency, processId);

test.each<[AmqpConsumerOptions, Record<string, string>, object]>([
  [{ queue: "q" }, {}, { queue: "q", bindings: [], exchange: "amq.topic", prefetch: 10, isCompeting: true, arguments: {} }],
  [{ queue: "q", exchange: "e" }, { "amqp.exchange_name": "other" }, { exchange: "e" }],
  [{ queue: "q" }, { "amqp.exchange_name": "other" }, { exchange: "other" }],
  [{ queue: "q" }, { "amqp.queue_name_prefix": "dev-" }, { queue: "dev-q" }],
  [{ queue: "q", routingKeys: ["a.*"] }, { "amqp.routing_key_prefix": "ä." }, { bindings: ["___c3a4_.a.*"] }],
  [{ queue: "q", prefetch: 3 }, { "amqp.qos.queue_prefetch_count": "50" }, { prefetch: 3 }],
  [{ queue: "q" }, { "amqp.qos.queue_prefetch_count": "50" }, { prefetch: 50 }],
  [{ queue: "q", ordered: true }, { "amqp.qos.queue_prefetch_count": "50" }, { prefetch: 1 }],
  [{ queue: "q", ordered: true }, {}, { arguments: { "x-single-active-consumer": true } }],
  [{ queue: "q", arguments: { a: 1 } }, {}, { arguments: { a: 1 } }],
])("%j with %j", (options, raw, expected) => expect(of(options, raw)).toMatchObject(expected));

test("a queue without a name has that of its keys; one of a process has a name of its own", () => {
  const keys = { routingKeys: ["a.*", "b"] };
  expect(of(keys).queue).toBe(of(keys, {}, 1, "another process").queue);
  expect(of(keys).queue).not.toBe(of({ routingKeys: ["a.*"] }).queue);
  const own = { ...keys, competing: false };
  expect(of(own).queue).toBe(of(own).queue);
  expect(of(own).queue).not.toBe(of(own, {}, 1, "another process").queue);
  expect(of(own).queue).not.toBe(of(keys).queue);
});

test("routes name what is bound", () => {
  expect(amqpRoute(of({ queue: "q" }))).toBe("q");
  expect(amqpRoute(of({ queue: "q", routingKeys: ["a.*", "b"] }))).toBe("a.*, b → q");
});
