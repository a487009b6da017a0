import type { Logger } from "pino";
import { expect, test, vi } from "vitest";
import { awsError, FakeAws } from "./fake-aws.ts";
import { SqsPublisher } from "./publisher.ts";
import { sqsSettings } from "./settings.ts";

let aws = new FakeAws();

function made(answers: ConstructorParameters<typeof FakeAws>[0] = {}, raw: Record<string, string> = {}): SqsPublisher {
  aws = new FakeAws({
    GetQueueUrl: ({ QueueName }) => ({ QueueUrl: `http://sqs/${String(QueueName)}` }),
    CreateTopic: ({ Name }) => ({ TopicArn: `arn:${String(Name)}` }),
    ...answers,
  });
  return new SqsPublisher(
    sqsSettings(raw),
    { log: {} as Logger, headers: () => ({ traceparent: "00-t" }), makeId: () => "made" },
    aws.openers,
  );
}

test("a topic is made once, encoded, with its prefix; a message carries its trace", async () => {
  const publisher = made({}, { "aws_sns_sqs.topic_prefix": "dev-" });
  await publisher.publish("order.new", { id: 1 }, { headers: { a: "b" } });
  await publisher.publish("order.new", { id: 2 });
  expect(aws.inputsOf("CreateTopic")).toEqual([{ Name: "dev-order___2e_new", Attributes: {} }]);
  expect(aws.inputsOf("Publish")[0]).toEqual({
    TopicArn: "arn:dev-order___2e_new",
    Message: '{"id":1}',
    MessageAttributes: { traceparent: { DataType: "String", StringValue: "00-t" }, a: { DataType: "String", StringValue: "b" } },
  });
});

test.each([
  ["t.fifo", {}, { MessageGroupId: "default", MessageDeduplicationId: "made" }],
  ["t.fifo", { groupId: "g", deduplicationId: "d" }, { MessageGroupId: "g", MessageDeduplicationId: "d" }],
  ["arn:aws:sns:eu-1:1:t", {}, { TopicArn: "arn:aws:sns:eu-1:1:t" }],
])("to %s with %j", async (topic, options, expected) => {
  const publisher = made();
  await publisher.publish(topic, {}, options);
  expect(aws.inputsOf("Publish")[0]).toMatchObject(expected);
  expect(aws.inputsOf("CreateTopic")).toHaveLength(topic.startsWith("arn:") ? 0 : 1);
});

test("a list goes in batches of ten, and as many bytes as one request takes; each is told what became of it", async () => {
  const publisher = made();
  const results = await publisher.sendAll(
    "q",
    Array.from({ length: 23 }, (_, data) => ({ data })),
  );
  expect([results.length, results.every(({ ok }) => ok)]).toEqual([23, true]);
  const sizes = (): number[] => aws.inputsOf("SendMessageBatch").map(({ Entries }) => (Entries as unknown[]).length);
  expect(sizes()).toEqual([10, 10, 3]);
  const large = made();
  await large.sendAll(
    "q",
    Array.from({ length: 4 }, () => ({ data: "x".repeat(400_000) })),
  );
  expect(sizes()).toEqual([2, 2]);
});

test("what AWS did not take is told for that one alone", async () => {
  const Failed = [{ Id: "1", SenderFault: true, Code: "InvalidMessageContents", Message: "odd" }];
  const publisher = made({ SendMessageBatch: () => ({ Failed }) });
  const [one, other] = await publisher.sendAll("q", [{ data: 1 }, { data: 2 }]);
  expect(one).toEqual({ ok: true });
  expect(other).toMatchObject({ ok: false, error: { code: "REFUSED", message: /InvalidMessageContents: odd/ } });
  const single = made({ SendMessageBatch: () => ({ Failed: [{ ...Failed[0], Id: "0" }] }) });
  await expect(single.send("q", 1, { delaySeconds: 5 })).rejects.toMatchObject({ code: "REFUSED" });
});

test("options of a message and of a FIFO queue", async () => {
  const publisher = made();
  await publisher.send("q", "text", { delaySeconds: 5 });
  await publisher.send("q.fifo", { a: 1 }, { groupId: "g" });
  const [first, second] = aws.inputsOf("SendMessageBatch").map(({ Entries }) => (Entries as object[])[0]);
  expect(first).toMatchObject({ MessageBody: '"text"', DelaySeconds: 5 });
  expect(second).toMatchObject({ MessageGroupId: "g", MessageDeduplicationId: "made" });
});

test.each<[string, Error, string]>([
  ["a queue that is not there", awsError("QueueDoesNotExist"), "NO_ROUTE"],
  ["rights that are missing", awsError("AccessDenied"), "REFUSED"],
  ["an AWS that is not reached", awsError("Error", "connect", "ECONNREFUSED"), "UNAVAILABLE"],
  ["an answer that does not come", awsError("TimeoutError"), "LOST"],
])("%s", async (_, error, code) => {
  const publisher = made({
    GetQueueUrl: () => {
      throw error;
    },
  });
  await expect(publisher.send("q", 1)).rejects.toMatchObject({ name: "PublishError", code, mayHaveBeenSent: code === "LOST" });
  expect(aws.inputsOf("SendMessageBatch")).toEqual([]);
});

test("closing waits for what is on its way", async () => {
  let answer = (): void => undefined;
  const publisher = made({ Publish: () => new Promise<object>((resolve) => (answer = () => resolve({}))) });
  const publishing = publisher.publish("t", 1);
  await vi.waitUntil(() => aws.inputsOf("Publish").length === 1);
  const closed = vi.fn();
  const closing = publisher.close().then(closed);
  await new Promise((resolve) => setImmediate(resolve));
  expect(closed).not.toHaveBeenCalled();
  answer();
  await Promise.all([publishing, closing]);
});
