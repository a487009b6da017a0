import { expect, test } from "vitest";
import type { SqsConsumerOptions } from "../consumer-options.ts";
import { sqsSettings } from "./settings.ts";
import { encodeTopic, sqsRoute, sqsSource, withFifo } from "./source.ts";

test.each([
  ["t", "t"],
  ["order-new_1*", "order-new_1*"],
  ["order.new", "order___2e_new"],
  ["ä", "___c3a4_"],
  ["😀", "___f09f9880_"],
])("the topic %j is called %j", (name, encoded) => expect(encodeTopic(name)).toBe(encoded));

test.each([
  ["q", false, "q"],
  ["q", true, "q.fifo"],
  ["q.fifo", true, "q.fifo"],
  ["q.fifo", false, "q.fifo"],
])("the name %s, FIFO %s: %s", (name, isFifo, expected) => expect(withFifo(name, isFifo)).toBe(expected));

const of = (options: SqsConsumerOptions, raw: Record<string, string> = {}, processId = "p") =>
  sqsSource("mails", options, sqsSettings(raw), processId);

test.each<[SqsConsumerOptions, Record<string, string>, object]>([
  [{ queue: "q" }, {}, { queue: "q", topics: [], isFifo: false, isRaw: false, isCompeting: true, visibilityTimeoutMs: undefined }],
  [{ queue: "q" }, { "aws_sns_sqs.queue_name_prefix": "dev-" }, { queue: "dev-q" }],
  [{ queue: "arn:aws:sqs:eu-1:1:q" }, { "aws_sns_sqs.queue_name_prefix": "dev-" }, { queue: "arn:aws:sqs:eu-1:1:q" }],
  [{ queue: "q", topics: ["a.b"] }, { "aws_sns_sqs.topic_prefix": "dev." }, { topics: ["dev___2e_a___2e_b"] }],
  [{ queue: "q", topics: ["t", "u.fifo"], fifo: true }, {}, { queue: "q.fifo", topics: ["t.fifo", "u.fifo"] }],
  [{ queue: "q", visibilityTimeout: "1 minute" }, { "aws_sns_sqs.visibility_timeout": "5" }, { visibilityTimeoutMs: 60_000 }],
  [{ queue: "q" }, { "aws_sns_sqs.visibility_timeout": "5" }, { visibilityTimeoutMs: 5000 }],
])("%j with %j", (options, raw, expected) => expect(of(options, raw)).toMatchObject(expected));

test("a queue without a name has that of its topics, within SQS's 80 characters; one of a process has a name of its own", () => {
  const topics = { topics: ["a", "b"] };
  expect(of(topics).queue).toBe(of(topics, {}, "another process").queue);
  expect(of({ ...topics, competing: false }).queue).not.toBe(of({ ...topics, competing: false }, {}, "another process").queue);
  expect(of({ ...topics, fifo: true }).queue.length).toBeLessThanOrEqual(80);
});

test("routes name what is subscribed", () => {
  expect(sqsRoute(of({ queue: "q" }))).toBe("q");
  expect(sqsRoute(of({ queue: "q", topics: ["t", "u"] }))).toBe("t, u → q");
});
