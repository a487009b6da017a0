import type { Message } from "@aws-sdk/client-sqs";
import type { Logger } from "pino";
import { expect, test } from "vitest";
import type { SqsSource } from "../consumer-definition.ts";
import type { Failure } from "../delivery.ts";
import { SqsDelivery } from "./delivery.ts";
import { awsError, FakeAws } from "./fake-aws.ts";
import { SqsSettlement } from "./settlement.ts";
import type { SqsQueue } from "./topology.ts";

const failure: Failure = { error: new Error("no luck"), failures: 2, retryLimit: 1 };

function made(aws: FakeAws, { isFifo = false, redrive }: { isFifo?: boolean; redrive?: SqsQueue["redrive"] } = {}) {
  const told: string[] = [];
  const tell = (_: object, text: string): void => void told.push(text);
  const log = { info: tell, warn: tell } as unknown as Logger;
  const source = { system: "aws_sqs", queue: isFifo ? "q.fifo" : "q", isFifo } as SqsSource;
  const queue: SqsQueue = { url: "http://sqs/q", arn: "arn", visibilityTimeoutMs: 30_000, redrive };
  const settlement = new SqsSettlement(aws.api, queue, source, log);
  let last = 0;
  /** One that is held, and invisible for so long. */
  const hold = (invisibleMs = 30_000, message: Message = {}): SqsDelivery => {
    last += 1;
    const delivery = new SqsDelivery(
      { ReceiptHandle: `r${last}`, MessageId: `m${last}`, Body: "{}", ...message },
      source,
      settlement,
      performance.now() + invisibleMs,
    );
    settlement.held.add(delivery);
    return delivery;
  };
  return { settlement, told, hold };
}

interface Batched {
  readonly Entries: readonly Readonly<Record<string, unknown>>[];
}
const entries = (aws: FakeAws, name: string): Batched["Entries"] =>
  aws.inputsOf(name).flatMap((input) => (input as unknown as Batched).Entries);

test("what ends at about the same time is deleted together", async () => {
  const aws = new FakeAws();
  const { settlement, hold } = made(aws);
  const all = Array.from({ length: 12 }, () => hold());
  expect(await Promise.all(all.map((each) => settlement.delete(each)))).toEqual(all.map(() => true));
  expect([aws.inputsOf("DeleteMessageBatch").length, settlement.held.size]).toEqual([2, 0]);
  expect(entries(aws, "DeleteMessageBatch").map(({ ReceiptHandle }) => ReceiptHandle)).toEqual(all.map((_, n) => `r${n + 1}`));
});

test("one that can't be deleted is told of, and is not held any more", async () => {
  const aws = new FakeAws({ DeleteMessageBatch: () => ({ Failed: [{ Id: "0", SenderFault: true, Code: "ReceiptHandleIsInvalid" }] }) });
  const { settlement, hold, told } = made(aws);
  expect(await Promise.all([hold(), hold()].map((each) => settlement.delete(each)))).toEqual([false, true]);
  expect([told, settlement.held.size]).toEqual([["a message that was handled could not be deleted: it comes again"], 0]);
});

test.each([
  [0, 0],
  [1, 1],
  [1500, 2],
  [100_000_000, 43_200],
])("visible again after %i ms: %i s", async (delayMs, seconds) => {
  const aws = new FakeAws();
  const { settlement, hold } = made(aws);
  await settlement.makeVisible(hold(), delayMs);
  expect(entries(aws, "ChangeMessageVisibilityBatch")).toMatchObject([{ VisibilityTimeout: seconds }]);
});

test("what is held is kept invisible at half of its time, once", async () => {
  const aws = new FakeAws();
  const { settlement, hold } = made(aws);
  hold(20_000);
  const due = hold(14_000);
  await Promise.all([settlement.prolong(), settlement.prolong()]);
  expect(entries(aws, "ChangeMessageVisibilityBatch")).toMatchObject([{ ReceiptHandle: "r2", VisibilityTimeout: 30 }]);
  expect([due.isStale, settlement.held.size]).toEqual([false, 2]);
});

test("one that can't be kept is stale, and told of", async () => {
  const Failed = [{ Id: "0", SenderFault: true, Code: "MessageNotInflight" }];
  const aws = new FakeAws({ ChangeMessageVisibilityBatch: () => ({ Failed }) });
  const { settlement, hold, told } = made(aws);
  const due = hold(1000);
  await settlement.prolong();
  expect([due.isStale, settlement.held.size, told.length]).toEqual([true, 0, 1]);
});

test("a dead letter goes where the redrive policy says, else to a queue of ours", async () => {
  const known = new FakeAws({ GetQueueUrl: ({ QueueName }) => ({ QueueUrl: `http://sqs/${String(QueueName)}` }) });
  const policy = made(known, { redrive: { deadLetterQueue: "arn:aws:sqs:eu-1:1:graveyard", maxReceiveCount: 3 } });
  await policy.settlement.sendToDead(policy.hold(), "retries", failure);
  expect(known.inputsOf("SendMessage")).toMatchObject([{ QueueUrl: "http://sqs/graveyard", MessageBody: "{}" }]);
  const unknown = new FakeAws({
    GetQueueUrl: () => {
      throw awsError("QueueDoesNotExist");
    },
    CreateQueue: ({ QueueName }) => ({ QueueUrl: `http://sqs/${String(QueueName)}` }),
  });
  const own = made(unknown, { isFifo: true });
  for (let n = 0; n < 2; n += 1) await own.settlement.sendToDead(own.hold(), "retries", failure);
  expect(unknown.inputsOf("CreateQueue")).toHaveLength(1);
  expect(unknown.inputsOf("SendMessage")).toMatchObject([
    { QueueUrl: "http://sqs/q-dead.fifo", MessageGroupId: "dead", MessageDeduplicationId: "m1" },
    { MessageDeduplicationId: "m2" },
  ]);
});

test("a dead letter queue that can't be had is looked for again with the next one", async () => {
  let tries = 0;
  const aws = new FakeAws({
    GetQueueUrl: () => {
      tries += 1;
      if (tries === 1) throw awsError("AccessDenied");
      return { QueueUrl: "http://sqs/q-dead" };
    },
  });
  const { settlement, hold } = made(aws);
  await expect(settlement.sendToDead(hold(), "retries", failure)).rejects.toThrow("a fault");
  await settlement.sendToDead(hold(), "retries", failure);
  expect(aws.inputsOf("SendMessage")).toHaveLength(1);
});

test("a dead letter says why, in characters that SQS takes, with ten attributes at most", async () => {
  const aws = new FakeAws({ GetQueueUrl: () => ({ QueueUrl: "http://sqs/q-dead" }) });
  const { settlement, hold } = made(aws);
  const MessageAttributes = Object.fromEntries(
    Array.from({ length: 9 }, (_, n) => [`own${n}`, { DataType: "String", StringValue: String(n) }]),
  );
  const error = new Error(`\u0000no\u0007 luck at https://joe:verysecret@mq/${"x".repeat(5000)}`);
  await settlement.sendToDead(hold(1, { MessageAttributes }), "crashed", { ...failure, error });
  const [{ MessageAttributes: sent } = { MessageAttributes: {} }] = aws.inputsOf("SendMessage") as [
    { MessageAttributes: Record<string, { StringValue: string }> }?,
  ];
  expect(Object.keys(sent)).toHaveLength(10);
  expect(sent["x-dead-reason"]?.StringValue).toBe("crashed");
  const text = sent["x-last-error"]?.StringValue ?? "";
  expect([text.length, text.includes("verysecret"), /[\u0000-\u0008]/.test(text)]).toEqual([900, false, false]);
  expect(sent["x-left-out-attributes"]?.StringValue).toBe("own3, own4, own5, own6, own7, own8");
});

test("what was dead once keeps when it failed first, and its limit; why it is dead is what is true now", async () => {
  const aws = new FakeAws({ GetQueueUrl: () => ({ QueueUrl: "http://sqs/q-dead" }) });
  const { settlement, hold } = made(aws);
  const attribute = (StringValue: string) => ({ DataType: "String", StringValue });
  const before = { "x-dead-reason": attribute("crashed"), "x-first-failed-at": attribute("then"), "x-retry-limit": attribute("7") };
  await settlement.sendToDead(hold(1, { MessageAttributes: before }), "rejected", failure);
  expect(aws.inputsOf("SendMessage")).toMatchObject([{ MessageAttributes: { ...before, "x-dead-reason": attribute("rejected") } }]);
});

test.each(["\ud83d", "a\udc00b", `${"x".repeat(883)}😀`, ""])("an error's text is one that SQS takes (%#)", async (message) => {
  const aws = new FakeAws({ GetQueueUrl: () => ({ QueueUrl: "http://sqs/q-dead" }) });
  const { settlement, hold } = made(aws);
  await settlement.sendToDead(hold(), "retries", { ...failure, error: new RangeError(message) });
  const [{ MessageAttributes: sent } = { MessageAttributes: {} }] = aws.inputsOf("SendMessage") as [
    { MessageAttributes: Record<string, { StringValue: string }> }?,
  ];
  const text = sent["x-last-error"]?.StringValue ?? "";
  expect([text.startsWith("RangeError: "), !/\p{Surrogate}/u.test(text), text.length <= 900]).toEqual([true, true, true]);
});

test("closing gives back what is held", async () => {
  const aws = new FakeAws();
  const { settlement, hold } = made(aws);
  const deleting = settlement.delete(hold());
  hold();
  await settlement.close();
  await deleting;
  expect(entries(aws, "ChangeMessageVisibilityBatch").map(({ VisibilityTimeout }) => VisibilityTimeout)).toContain(0);
  expect([entries(aws, "DeleteMessageBatch").length, settlement.held.size]).toEqual([1, 0]);
});
