import { isConfigurationError } from "@tsserve/config";
import { expect, test } from "vitest";
import { readConsumers } from "./read-consumers.ts";
import { queueSettings } from "./settings.ts";

const handle = (): void => undefined;

function read(consumer: object, raw: Record<string, string> = {}): ReturnType<typeof readConsumers>[number] {
  const [definition] = readConsumers({ consumers: [{ name: "a", handle, ...consumer }] }, queueSettings(raw));
  if (definition === undefined) throw new Error("no definition");
  return definition;
}

function problemsOf(consumers: unknown, raw: Record<string, string> = {}): string[] {
  try {
    readConsumers({ consumers }, queueSettings(raw));
    return [];
  } catch (error) {
    if (!isConfigurationError(error)) throw error;
    return error.problems.map(({ key }) => key);
  }
}

test("what is not said comes from the settings", () => {
  const definition = read({ amqp: { queue: "q" } }, { max_concurrency: "7", retry_limit: "3", retry_delay: "1 second, 2 seconds" });
  expect(definition).toMatchObject({ concurrency: 7, isOrdered: false, retry: { limit: 3, delaysMs: [1000, 2000] }, rememberedIds: 140 });
  expect(definition.source).toMatchObject({
    queue: "q",
    prefetch: 14,
    bindings: [],
    exchange: "amq.topic",
    isCompeting: true,
    arguments: {},
  });
  expect(read({ amqp: { queue: "q" }, concurrency: 3 }).source).toMatchObject({ prefetch: 6 });
  expect(read({ amqp: { queue: "q" } }, { "amqp.qos.queue_prefetch_count": "50" }).source).toMatchObject({ prefetch: 50 });
  expect(read({ amqp: { queue: "q", prefetch: 9 } }, { "amqp.qos.queue_prefetch_count": "50" }).source).toMatchObject({ prefetch: 9 });
  expect(read({ amqp: { queue: "q" }, retry: { limit: 0, delays: [5, "1 minute"] } }).retry).toEqual({ limit: 0, delaysMs: [5, 60_000] });
});

test("an ordered consumer handles one message at a time, of a queue with one active consumer", () => {
  const definition = read({ amqp: { queue: "q", ordered: true, arguments: { "x-max-length": 5 } } });
  expect(definition).toMatchObject({ concurrency: 1, isOrdered: true });
  expect(definition.source).toMatchObject({ prefetch: 1, arguments: { "x-single-active-consumer": true, "x-max-length": 5 } });
});

test("queues and bindings have the names that tomodachi gives them", () => {
  const prefixes = { "amqp.queue_name_prefix": "dev-", "amqp.routing_key_prefix": "pre." };
  const made = read({ amqp: { routingKeys: ["order.*", "ä"] } }, prefixes).source;
  expect(made).toMatchObject({ bindings: ["pre.order.*", "pre.___c3a4_"] });
  expect(made.queue).toMatch(/^dev-[0-9a-f]{64}$/);
  const again = read({ amqp: { routingKeys: ["order.*", "ä"] } }, prefixes).source;
  expect(again.queue).toBe(made.queue);
  const own = read({ amqp: { routingKeys: ["order.*"], competing: false } }).source;
  expect(read({ amqp: { routingKeys: ["order.*"], competing: false } }).source.queue).not.toBe(own.queue);
  expect(read({ sqs: { queue: "q", fifo: true, topics: ["t", "u.fifo"] } }, { "aws_sns_sqs.topic_prefix": "x-" }).source).toMatchObject({
    queue: "q.fifo",
    topics: ["x-t.fifo", "x-u.fifo"],
  });
  expect(read({ sqs: { queue: "q.fifo", fifo: true } }).source.queue).toBe("q.fifo");
  expect(read({ sqs: { queue: "arn:aws:sqs:eu-1:1:q" } }, { "aws_sns_sqs.queue_name_prefix": "x-" }).source.queue).toBe(
    "arn:aws:sqs:eu-1:1:q",
  );
});

test("every kind of mistake is found, at its place", () => {
  const wrong: [object | string | null | number, string[]][] = [
    [{ handle, amqp: { queue: "q" } }, ["consumers[0].name"]],
    [{ name: "", handle, amqp: { queue: "q" } }, ["consumers[0].name"]],
    [{ name: "a", amqp: { queue: "q" } }, ["consumers[0].handle"]],
    [{ name: "a", handle: 7, amqp: { queue: "q" } }, ["consumers[0].handle"]],
    [{ name: "a", handle }, ["consumers[0]"]],
    [{ name: "a", handle, amqp: { queue: "q" }, sqs: { queue: "q" } }, ["consumers[0]"]],
    [{ name: "a", handle, amqp: {} }, ["consumers[0].amqp"]],
    [{ name: "a", handle, amqp: { routingKeys: [] } }, ["consumers[0].amqp"]],
    [{ name: "a", handle, amqp: { queue: "q", competing: false } }, ["consumers[0].amqp.competing"]],
    [
      { name: "a", handle, amqp: { queue: "q", ordered: true, prefetch: 2 }, concurrency: 2 },
      ["consumers[0].amqp.ordered", "consumers[0].amqp.prefetch"],
    ],
    [{ name: "a", handle, amqp: { queue: "q", prefetch: 65_536 } }, ["consumers[0].amqp.prefetch"]],
    [{ name: "a", handle, amqp: { queue: "q", arguments: [] } }, ["consumers[0].amqp.arguments"]],
    [{ name: "a", handle, amqp: null }, ["consumers[0].amqp"]],
    [{ name: "a", handle, amqp: { queue: "q" }, concurrency: 0 }, ["consumers[0].concurrency"]],
    [{ name: "a", handle, amqp: { queue: "q" }, concurrency: 1.5 }, ["consumers[0].concurrency"]],
    [{ name: "a", handle, amqp: { queue: "q" }, concurrency: 11 }, ["consumers[0].concurrency"]],
    [{ name: "a", handle, amqp: { queue: "q" }, retry: { delays: [] } }, ["consumers[0].retry.delays"]],
    [{ name: "a", handle, amqp: { queue: "q" }, retry: { delays: [-1] } }, ["consumers[0].retry.delays"]],
    [{ name: "a", handle, amqp: { queue: "q" }, retry: { limits: 1 } }, ["consumers[0].retry.limits"]],
    [{ name: "a", handle, amqp: { queue: "q" }, parse: {} }, ["consumers[0].parse"]],
    [{ name: "a", handle, sqs: {} }, ["consumers[0].sqs"]],
    [{ name: "a", handle, sqs: { queue: "q", visibilityTimeout: "soon" } }, ["consumers[0].sqs.visibilityTimeout"]],
    [{ name: "a", handle, sqs: { queue: "q", visibilityTimeout: 0 } }, ["consumers[0].sqs.visibilityTimeout"]],
    [{ name: "a", handle, sqs: { queue: "q", visibilityTimeout: "13 hours" } }, ["consumers[0].sqs.visibilityTimeout"]],
    [{ name: "a", handle, sqs: { queue: "q" }, constructor: 1 }, ["consumers[0].constructor"]],
    [{ name: "a", handle, amqp: { queue: "q".repeat(231) } }, ["consumers[0].amqp.queue"]],
    [{ name: "a", handle, amqp: { queue: "ä".repeat(116) } }, ["consumers[0].amqp.queue"]],
    [
      { name: "a", handle, amqp: { queue: "q", exchange: "e".repeat(256), routingKeys: ["k".repeat(256)] } },
      ["consumers[0].amqp.exchange", "consumers[0].amqp.routingKeys"],
    ],
    ["text", ["consumers[0]"]],
    [null, ["consumers[0]"]],
    [7, ["consumers[0]"]],
  ];
  for (const [consumer, keys] of wrong) expect(problemsOf([consumer]), JSON.stringify(consumer)).toEqual(keys);
  const [circle, bigint]: object[] = [
    { name: "a", handle, amqp: { queue: "q" } },
    { name: 5n, handle, amqp: { queue: "q" } },
  ];
  Object.assign(circle as object, { concurrency: circle });
  expect(problemsOf([circle, bigint])).toEqual(["consumers[0].concurrency", "consumers[1].name"]);
  for (const list of [undefined, null, 7, {}, []]) expect(problemsOf(list)).toEqual(["consumers"]);
});
