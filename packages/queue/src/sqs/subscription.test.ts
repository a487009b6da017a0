import type { Logger } from "pino";
import { expect, test, vi } from "vitest";
import type { ConsumerDefinition, SqsSource } from "../consumer-definition.ts";
import type { Delivery } from "../delivery.ts";
import { readConsumers } from "../read-consumers.ts";
import { queueSettings } from "../settings.ts";
import { awsError, FakeAws } from "./fake-aws.ts";
import { SqsSubscription } from "./subscription.ts";

/** A subscription to an AWS in memory, whose `waiting` messages are handed out, and what it tells its consumer. */
function made(
  waiting: number,
  {
    raw = {},
    answers = {},
    concurrency = 5,
  }: { raw?: object; answers?: ConstructorParameters<typeof FakeAws>[0]; concurrency?: number } = {},
) {
  let next = 0;
  const aws = new FakeAws({
    GetQueueUrl: () => ({ QueueUrl: "http://sqs/q" }),
    GetQueueAttributes: () => ({ Attributes: { QueueArn: "arn", VisibilityTimeout: "30" } }),
    ReceiveMessage: async ({ MaxNumberOfMessages }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const count = Math.min(Number(MaxNumberOfMessages), waiting - next);
      return { Messages: Array.from({ length: count }, () => ({ MessageId: `m${(next += 1)}`, ReceiptHandle: `r${next}`, Body: "{}" })) };
    },
    ...answers,
  });
  const settings = queueSettings({ "aws_sns_sqs.wait_time": "0", max_concurrency: "20", ...raw });
  const [definition] = readConsumers({ consumers: [{ name: "c", sqs: { queue: "q" }, concurrency, handle: () => undefined }] }, settings);
  const told: string[] = [];
  const warned: string[] = [];
  const deliveries: Delivery[] = [];
  const sink = {
    subscribed: () => void told.push("subscribed"),
    unsubscribed: (reason: string) => void told.push(reason),
    unheard: () => undefined,
    deliver: (delivery: Delivery) => void deliveries.push(delivery),
  };
  const consumer = definition as ConsumerDefinition;
  const log = { info: vi.fn(), warn: (text: unknown) => warned.push(String(text)) } as unknown as Logger;
  const parts = { settings: settings.sqs, sqs: aws.api, sns: () => Promise.resolve(aws.api), log };
  const subscription = new SqsSubscription(consumer, consumer.source as SqsSource, sink, parts);
  const end = async (): Promise<void> => {
    await subscription.cancel();
    await subscription.close();
  };
  return { aws, subscription, told, warned, deliveries, end };
}

test("it asks until it holds twice its concurrency, and goes on as messages leave", async () => {
  const { aws, subscription, deliveries, end } = made(40, { concurrency: 6 });
  await subscription.first;
  await vi.waitUntil(() => deliveries.length === 12);
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect([deliveries.length, subscription.state]).toEqual([12, { isSubscribed: true, brokerAnswers: true }]);
  await deliveries[0]?.acknowledge();
  await vi.waitUntil(() => deliveries.length === 13);
  for (const { MaxNumberOfMessages } of aws.inputsOf("ReceiveMessage")) expect(MaxNumberOfMessages).toBeLessThanOrEqual(10);
  await end();
});

test.each([
  [10, {}, 1],
  [11, {}, 2],
  [5, { "aws_sns_sqs.polls": "3" }, 3],
])("a concurrency of %i with %j asks %i questions at once", async (concurrency, raw, polls) => {
  let [open, most] = [0, 0];
  const ReceiveMessage = async (): Promise<object> => {
    most = Math.max(most, (open += 1));
    await new Promise((resolve) => setTimeout(resolve, 10));
    open -= 1;
    return {};
  };
  // Each asks for ten: there must be room for as many questions.
  const { subscription, end } = made(0, { concurrency: Math.max(concurrency, polls === 3 ? 15 : 0), raw, answers: { ReceiveMessage } });
  await subscription.first;
  await vi.waitUntil(() => most === polls);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(most).toBe(polls);
  await end();
});

test("a cancel waits for the open question, whose messages are still handed over; closing gives back what is held", async () => {
  let answer: ((messages: object) => void) | undefined;
  const ReceiveMessage = (): Promise<object> => new Promise((resolve) => (answer = resolve));
  const { aws, subscription, deliveries, end } = made(0, { answers: { ReceiveMessage } });
  await subscription.first;
  await vi.waitUntil(() => answer !== undefined);
  const cancelled = vi.fn();
  const cancelling = subscription.cancel().then(cancelled);
  await new Promise((resolve) => setImmediate(resolve));
  expect(cancelled).not.toHaveBeenCalled();
  answer?.({ Messages: [{ ReceiptHandle: "late" }] });
  await cancelling;
  expect([deliveries.length, aws.inputsOf("ReceiveMessage").length]).toEqual([1, 1]);
  await end();
  expect(aws.inputsOf("ChangeMessageVisibilityBatch")).toMatchObject([{ Entries: [{ ReceiptHandle: "late", VisibilityTimeout: 0 }] }]);
});

test.each<[string, Error, string, boolean]>([
  ["not reached", awsError("Error", "connect", "ECONNREFUSED"), "unreachable", false],
  ["refused for good", awsError("AccessDenied"), "refused", true],
])("an AWS that is %s", async (_, error, reason, isPermanent) => {
  let fails = true;
  const GetQueueUrl = (): object => {
    if (fails) throw error;
    return { QueueUrl: "http://sqs/q" };
  };
  const { subscription, told, end } = made(1, { answers: { GetQueueUrl } });
  if (isPermanent) await expect(subscription.first).rejects.toMatchObject({ reason });
  else {
    await vi.waitUntil(() => told.length > 0);
    expect(subscription.state).toEqual({ isSubscribed: false, brokerAnswers: false });
    fails = false;
    await subscription.first;
  }
  expect(told[0]).toBe(reason);
  await end();
});

test("a question that fails ends the subscription until it can be had again", async () => {
  let fails = 1;
  const ReceiveMessage = (): object => {
    if (fails-- > 0) throw awsError("QueueDoesNotExist");
    return {};
  };
  const { told, subscription, end } = made(0, { answers: { ReceiveMessage } });
  await vi.waitUntil(() => told.length === 3, { timeout: 10_000 });
  expect([told, subscription.state.isSubscribed]).toEqual([["subscribed", "topology", "subscribed"], true]);
  await end();
});

test("when one of several questions fails, those who ask don't become more, and a cancel waits for all of them", async () => {
  let [asked, open, most] = [0, 0, 0];
  const answers: (() => void)[] = [];
  const ReceiveMessage = async (): Promise<object> => {
    asked += 1;
    if (asked % 2 === 1 && asked < 12) throw awsError("ThrottlingException");
    most = Math.max(most, (open += 1));
    await new Promise<void>((resolve) => answers.push(resolve));
    open -= 1;
    return {};
  };
  const { told, subscription, end } = made(0, { concurrency: 20, answers: { ReceiveMessage } });
  const answered = setInterval(() => answers.shift()?.(), 30);
  await vi.waitUntil(() => told.filter((each) => each === "subscribed").length === 7, { timeout: 20_000 });
  await vi.waitUntil(() => open === 2 && answers.length === 2);
  clearInterval(answered);
  expect([subscription.state.isSubscribed, most <= 4]).toEqual([true, true]);
  const cancelled = vi.fn();
  const cancelling = subscription.cancel().then(cancelled);
  answers.shift()?.();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(cancelled).not.toHaveBeenCalled();
  answers.shift()?.();
  await cancelling;
  await end();
});

test("a redrive policy that takes messages away before their retries is warned of", async () => {
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: "arn:dead", maxReceiveCount: 3 });
  const GetQueueAttributes = (): object => ({ Attributes: { QueueArn: "arn", RedrivePolicy } });
  const { warned, subscription, end } = made(0, { answers: { GetQueueAttributes } });
  await subscription.first;
  expect(warned).toEqual([expect.stringMatching(/after 3 receipts: of its 10 retries not all will be run/)]);
  await end();
});
