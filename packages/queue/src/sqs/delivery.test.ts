import type { Message } from "@aws-sdk/client-sqs";
import { expect, test } from "vitest";
import type { SqsSource } from "../consumer-definition.ts";
import { SqsDelivery } from "./delivery.ts";
import type { SqsSettlement } from "./settlement.ts";

/** A delivery, and what was asked of its settlement. */
function made(message: Message, { isFifo = false }: { isFifo?: boolean } = {}) {
  const asked: unknown[][] = [];
  const settlement = {
    delete: () => (asked.push(["delete"]), Promise.resolve(true)),
    makeVisible: (_: unknown, delayMs: number) => (asked.push(["visible", delayMs]), Promise.resolve()),
    sendToDead: (_: unknown, reason: string) => (asked.push(["dead", reason]), Promise.resolve()),
  };
  const source = { system: "aws_sqs", queue: "q", isFifo } as SqsSource;
  return { delivery: new SqsDelivery(message, source, settlement as unknown as SqsSettlement, 0), asked };
}

const of = (message: Message): SqsDelivery => made(message).delivery;
const envelope = (own: object = {}): string =>
  JSON.stringify({ Type: "Notification", TopicArn: "arn:aws:sns:eu-1:1:orders", Message: '{"id":1}', ...own });

test.each<[string, string | undefined, string, string | undefined]>([
  ["a body of its own", "hello", "hello", undefined],
  ["none", undefined, "", undefined],
  ["SNS's envelope", envelope(), '{"id":1}', "orders"],
  ["an envelope whose message is empty", envelope({ Message: "" }), "", "orders"],
  ["JSON that is no envelope", '{"TopicArn":"arn:aws:sns:eu-1:1:orders"}', '{"TopicArn":"arn:aws:sns:eu-1:1:orders"}', undefined],
  [
    "an envelope of another type",
    envelope({ Type: "SubscriptionConfirmation" }),
    envelope({ Type: "SubscriptionConfirmation" }),
    undefined,
  ],
  ["an envelope whose message is no text", envelope({ Message: 7 }), envelope({ Message: 7 }), undefined],
  ["an envelope whose topic is no text", envelope({ TopicArn: 7 }), envelope({ TopicArn: 7 }), undefined],
  ["broken JSON", '{"TopicArn"', '{"TopicArn"', undefined],
])("a message with %s", (_, Body, bytes, topic) => {
  const delivery = of(Body === undefined ? {} : { Body });
  expect([delivery.bytes.toString(), delivery.topic]).toEqual([bytes, topic]);
});

test("attributes are headers, those of the queue before those of the envelope", () => {
  const MessageAttributes = { a: { Type: "String", Value: "enveloped" }, b: { Type: "String", Value: "b" } };
  const delivery = of({
    Body: envelope({ MessageAttributes }),
    MessageAttributes: {
      a: { DataType: "String", StringValue: "raw" },
      c: { DataType: "Binary", BinaryValue: new Uint8Array([1]) },
    },
  });
  expect(delivery.headers).toEqual({ a: "raw", b: "b", c: new Uint8Array([1]) });
});

test.each([
  [undefined, 0, false],
  ["1", 0, false],
  ["2", 1, false],
  ["4", 3, false],
  ["5", 4, true],
  ["0", 0, false],
])("received %s times: %i runs before, suspect %s", (ApproximateReceiveCount, runs, isSuspect) => {
  const delivery = of(ApproximateReceiveCount === undefined ? {} : { Attributes: { ApproximateReceiveCount } });
  expect(delivery).toMatchObject({ redeliveries: runs, failures: runs, earlierAttempts: runs, redelivered: runs > 0, isSuspect });
});

test("times and groups", () => {
  expect(of({ Attributes: { SentTimestamp: "1700000000123" } }).sentAt?.toISOString()).toBe("2023-11-14T22:13:20.123Z");
  for (const Attributes of [{ SentTimestamp: "soon" }, {}]) expect(of({ Attributes }).sentAt).toBeUndefined();
  expect(of({}).sentAt).toBeUndefined();
  const ttl = (StringValue: string) => of({ MessageAttributes: { "x-ttl": { DataType: "Number", StringValue } } }).expiresAt;
  expect([ttl("1000.5"), ttl("soon")]).toEqual([1_000_500, undefined]);
  const limit = (StringValue: string) => of({ MessageAttributes: { "x-retry-limit": { DataType: "String", StringValue } } }).retryLimit;
  expect([limit("2"), limit("0"), limit("many"), of({}).retryLimit]).toEqual([2, 0, undefined, undefined]);
  const grouped: Message = { Attributes: { MessageGroupId: "g" } };
  expect([made(grouped, { isFifo: true }).delivery.group, made(grouped).delivery.group]).toEqual(["g", undefined]);
});

test("it leaves by its settlement: dead letters are written first, deleted second", async () => {
  const { delivery, asked } = made({ MessageId: "m" });
  await delivery.acknowledge();
  await delivery.giveBack();
  await delivery.fail();
  await delivery.retry(2500);
  await delivery.bury("rejected", { error: new Error("no"), failures: 1, retryLimit: 1 });
  expect(asked).toEqual([["delete"], ["visible", 0], ["visible", 1000], ["visible", 2500], ["dead", "rejected"], ["delete"]]);
  expect(delivery.id).toBe("m");
});
