import type { Logger } from "pino";
import { expect, test } from "vitest";
import type { SqsConsumerOptions } from "../consumer-options.ts";
import { awsError, FakeAws, type Asked } from "./fake-aws.ts";
import { sqsSettings } from "./settings.ts";
import { sqsSource } from "./source.ts";
import { declareSource, queueUrl, type SqsQueue } from "./topology.ts";

const log = { info: () => undefined } as unknown as Logger;
const missing = (): never => {
  throw awsError("QueueDoesNotExist");
};
const noTopic = (): never => {
  throw awsError("NotFoundException");
};
const queueArn = "arn:aws:sqs:eu-1:1:q";
const topicArn = "arn:aws:sns:eu-1:1:t";

type Answers = Readonly<Record<string, (input: Asked["input"]) => unknown>>;

/** An AWS with a queue of these attributes. */
function known(attributes: Readonly<Record<string, string>> = {}, more: Answers = {}): FakeAws {
  return new FakeAws({
    GetQueueUrl: () => ({ QueueUrl: "http://sqs/q" }),
    GetQueueAttributes: () => ({ Attributes: { QueueArn: queueArn, VisibilityTimeout: "30", ...attributes } }),
    ...more,
  });
}

function declare(aws: FakeAws, options: SqsConsumerOptions, raw: Record<string, string> = {}): Promise<SqsQueue> {
  const settings = sqsSettings(raw);
  return declareSource(aws.api, () => Promise.resolve(aws.api), sqsSource("c", options, settings, "p"), settings, log);
}

test("a queue that is there is taken as it is", async () => {
  const aws = known({ VisibilityTimeout: "45", RedrivePolicy: '{"deadLetterTargetArn":"arn:dead","maxReceiveCount":"3"}' });
  expect(await declare(aws, { queue: "q" })).toEqual({
    url: "http://sqs/q",
    arn: queueArn,
    visibilityTimeoutMs: 45_000,
    redrive: { deadLetterQueue: "arn:dead", maxReceiveCount: 3 },
  });
  expect(aws.asked.map(({ name }) => name)).toEqual(["GetQueueUrl", "GetQueueAttributes"]);
});

test.each([
  ["0", 30_000],
  ["1", 1000],
  ["43200", 43_200_000],
])("a queue with a visibility of %s seconds is asked for %i ms", async (VisibilityTimeout, visibilityTimeoutMs) => {
  const aws = known({ VisibilityTimeout });
  expect(await declare(aws, { queue: "q" })).toMatchObject({ visibilityTimeoutMs });
  expect(aws.inputsOf("SetQueueAttributes")).toEqual([]);
});

test.each<[SqsConsumerOptions, Record<string, string>, object]>([
  [{ queue: "q" }, {}, {}],
  [{ queue: "q", visibilityTimeout: "1 minute" }, {}, { VisibilityTimeout: "60" }],
  [{ queue: "q" }, { "aws_sns_sqs.visibility_timeout": "2 minutes" }, { VisibilityTimeout: "120" }],
  [{ queue: "q" }, { "aws_sns_sqs.sqs_kms_master_key_id": "key" }, { KmsMasterKeyId: "key" }],
  [{ queue: "q" }, { "aws_sns_sqs.sqs_kms_master_key_id": "" }, {}],
  [{ queue: "q" }, { "aws_sns_sqs.sqs_kms_data_key_reuse_period": "10 minutes" }, { KmsDataKeyReusePeriodSeconds: "600" }],
  [
    { queue: "q", fifo: true },
    {},
    {
      FifoQueue: "true",
      ContentBasedDeduplication: "false",
      DeduplicationScope: "messageGroup",
      FifoThroughputLimit: "perMessageGroupId",
    },
  ],
])("an absent queue is made: %j with %j", async (options, raw, Attributes) => {
  const aws = known({}, { GetQueueUrl: missing, CreateQueue: () => ({ QueueUrl: "http://sqs/new" }) });
  expect(await declare(aws, options, raw)).toMatchObject({ url: "http://sqs/new" });
  expect(aws.inputsOf("CreateQueue")).toEqual([{ QueueName: options.fifo === true ? "q.fifo" : "q", Attributes }]);
  expect(aws.inputsOf("SetQueueAttributes")).toEqual([]);
});

test.each<[string, Record<string, string>, Record<string, string>, object[]]>([
  ["the same", { VisibilityTimeout: "60" }, { "aws_sns_sqs.visibility_timeout": "60" }, []],
  ["another time", { VisibilityTimeout: "30" }, { "aws_sns_sqs.visibility_timeout": "60" }, [{ VisibilityTimeout: "60" }]],
  ["a key, left alone", { KmsMasterKeyId: "key" }, {}, []],
  ["a key, removed", { KmsMasterKeyId: "key" }, { "aws_sns_sqs.sqs_kms_master_key_id": "false" }, [{ KmsMasterKeyId: "" }]],
  ["no key, nothing to remove", {}, { "aws_sns_sqs.sqs_kms_master_key_id": "" }, []],
  ["another key", { KmsMasterKeyId: "old" }, { "aws_sns_sqs.sqs_kms_master_key_id": "new" }, [{ KmsMasterKeyId: "new" }]],
])("of a queue that is there, what is set and differs is changed: %s", async (_, found, raw, expected) => {
  const aws = known(found);
  await declare(aws, { queue: "q" }, raw);
  expect(aws.inputsOf("SetQueueAttributes").map(({ Attributes }) => Attributes)).toEqual(expected);
});

interface Policy {
  readonly Statement: readonly {
    readonly Resource: string;
    readonly Condition: { readonly ArnLike: { readonly "aws:SourceArn": string[] } };
  }[];
}
const policies = (aws: FakeAws): Policy[] =>
  aws.inputsOf("SetQueueAttributes").map(({ Attributes }) => JSON.parse((Attributes as { Policy: string }).Policy) as Policy);

test("topics are made where they are absent, may send, and are subscribed", async () => {
  const aws = known({}, { GetTopicAttributes: noTopic, CreateTopic: () => ({ TopicArn: topicArn }) });
  await declare(aws, { queue: "q", topics: ["t"], filterPolicy: { kind: ["a"] }, raw: true });
  expect(aws.inputsOf("CreateTopic")).toEqual([{ Name: "t", Attributes: {} }]);
  expect(policies(aws)[0]?.Statement[0]).toMatchObject({ Resource: queueArn, Condition: { ArnLike: { "aws:SourceArn": [topicArn] } } });
  expect(aws.inputsOf("Subscribe")).toEqual([
    {
      TopicArn: topicArn,
      Protocol: "sqs",
      Endpoint: queueArn,
      Attributes: { RawMessageDelivery: "true", FilterPolicy: '{"kind":["a"]}' },
    },
  ]);
});

test("a FIFO queue's topics are FIFO, too; a key is set on topics that are made or have another", async () => {
  const fifo = known({}, { GetTopicAttributes: noTopic });
  await declare(fifo, { queue: "q", topics: ["t"], fifo: true });
  expect(fifo.inputsOf("CreateTopic")).toEqual([{ Name: "t.fifo", Attributes: { FifoTopic: "true" } }]);
  const key = { "aws_sns_sqs.sns_kms_master_key_id": "key" };
  for (const [found, sets] of [
    ["key", 0],
    ["other", 1],
  ] as const) {
    const aws = known({}, { GetTopicAttributes: () => ({ Attributes: { KmsMasterKeyId: found } }) });
    await declare(aws, { queue: "q", topics: ["t"] }, key);
    expect(aws.inputsOf("SetTopicAttributes")).toHaveLength(sets);
  }
});

test("a policy that is there stays, one that is written is taken", async () => {
  const there = known({ Policy: "{}" });
  await declare(there, { queue: "q", topics: ["t"] });
  expect(there.inputsOf("SetQueueAttributes")).toEqual([]);
  for (const [topics, policy] of [
    [["t"], '{"own":1}'],
    [["t*"], '{"wild":1}'],
  ] as const) {
    const aws = known();
    await declare(
      aws,
      { queue: "q", topics: [...topics] },
      {
        "aws_sns_sqs.queue_policy": '{"own":1}',
        "aws_sns_sqs.wildcard_queue_policy": '{"wild":1}',
      },
    );
    expect(aws.inputsOf("SetQueueAttributes")).toMatchObject([{ Attributes: { Policy: policy } }]);
  }
});

test("a * subscribes the topics that are there, page by page, and lets those that come later send", async () => {
  const arn = (name: string): { TopicArn: string } => ({ TopicArn: `arn:aws:sns:eu-1:1:${name}` });
  const aws = known(
    {},
    {
      ListTopics: ({ NextToken }) =>
        NextToken === undefined
          ? { Topics: [arn("order-new"), arn("bill")], NextToken: "2" }
          : { Topics: [arn("order-gone"), arn("a-order-b")] },
    },
  );
  await declare(aws, { queue: "q", topics: ["order-*"] });
  expect(aws.inputsOf("Subscribe").map(({ TopicArn }) => TopicArn)).toEqual([arn("order-new").TopicArn, arn("order-gone").TopicArn]);
  expect(policies(aws)[0]?.Statement[0]?.Condition.ArnLike["aws:SourceArn"]).toEqual(["arn:aws:sns:eu-1:1:order-*"]);
});

test.each<[string, SqsConsumerOptions, Record<string, string>, [string, string][]]>([
  ["the same filter", { filterPolicy: { a: ["b"] } }, { FilterPolicy: '{ "a": ["b"] }' }, []],
  ["another filter", { filterPolicy: { a: ["c"] } }, { FilterPolicy: '{"a":["b"]}' }, [["FilterPolicy", '{"a":["c"]}']]],
  ["raw now", { raw: true }, {}, [["RawMessageDelivery", "true"]]],
  ["raw no more", {}, { RawMessageDelivery: "true" }, [["RawMessageDelivery", "false"]]],
  ["never raw", {}, {}, []],
])("of a subscription that is there, what differs is changed: %s", async (_, options, found, expected) => {
  const aws = known(
    {},
    {
      ListSubscriptionsByTopic: ({ NextToken }) =>
        NextToken === undefined
          ? { Subscriptions: [{ Endpoint: "arn:other", SubscriptionArn: "arn:a" }], NextToken: "2" }
          : { Subscriptions: [{ Endpoint: queueArn, SubscriptionArn: "arn:mine" }] },
      GetSubscriptionAttributes: () => ({ Attributes: found }),
    },
  );
  await declare(aws, { queue: "q", topics: ["t"], ...options });
  expect(aws.inputsOf("Subscribe")).toEqual([]);
  expect(aws.inputsOf("SetSubscriptionAttributes").map((input) => [input["AttributeName"], input["AttributeValue"]])).toEqual(expected);
});

test("a queue may be named by its ARN, that of another account too; what AWS refuses is told with the queue's name", async () => {
  const aws = known();
  await queueUrl(aws.api, "arn:aws:sqs:eu-1:42:q");
  expect(aws.inputsOf("GetQueueUrl")).toEqual([{ QueueName: "q", QueueOwnerAWSAccountId: "42" }]);
  const refusing = known(
    {},
    {
      GetQueueUrl: () => {
        throw awsError("AccessDeniedException", "not you");
      },
    },
  );
  await expect(declare(refusing, { queue: "q" })).rejects.toMatchObject({
    reason: "refused",
    isPermanent: true,
    message: /the queue "q".*not you/,
  });
});
