import { CreateQueueCommand, GetQueueAttributesCommand, GetQueueUrlCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { brokerComplianceTests, type BrokerSubject } from "@tsserve/testing";
import {
  AmqpBroker,
  MemoryBroker,
  MemoryQueue,
  queueSettings,
  readConsumers,
  SqsBroker,
  type ConsumerDefinition,
} from "@tsserve/queue/testing";
import type { ChannelModel } from "amqplib";
import { startFauxqs, type FauxqsServer } from "fauxqs";
import { pino } from "pino";
import { afterAll, beforeAll, describe, test } from "vitest";
import { noRabbitmq, ready, sendTo, startRabbitmq, type Rabbitmq } from "./support/rabbitmq.ts";

const log = pino({ level: "silent" });
let last = 0;

function consumerOf(kind: "amqp" | "sqs", raw: Record<string, string>): ConsumerDefinition {
  const name = `c${(last += 1)}`;
  const [definition] = readConsumers({ consumers: [{ name, [kind]: { queue: name }, handle: () => undefined }] }, queueSettings(raw));
  return definition as ConsumerDefinition;
}

describe("in memory", () => {
  let broker: MemoryBroker;
  const queues = new Map<string, MemoryQueue>();
  const queueOf = ({ name }: ConsumerDefinition): MemoryQueue => {
    const subscription = broker.subscriptions.get(name);
    let queue = queues.get(name);
    if (queue === undefined && subscription !== undefined) queues.set(name, (queue = new MemoryQueue(subscription)));
    if (queue === undefined) throw new Error("not subscribed");
    return queue;
  };
  const subject: BrokerSubject = {
    makeBroker: () => (broker = new MemoryBroker()),
    makeConsumer: () => consumerOf("amqp", {}),
    publish: async (consumer, body, headers) => queueOf(consumer).publish({ body: Buffer.from(body), headers }),
    waiting: async (consumer) => queueOf(consumer).waiting,
    dead: async (consumer) => queueOf(consumer).dead,
  };
  for (const { name, run } of brokerComplianceTests(subject)) test(name, run);
});

describe.skipIf(noRabbitmq !== undefined).each(["classic", "quorum"])("RabbitMQ, %s queues", (type) => {
  let rabbitmq: Rabbitmq;
  let model: ChannelModel;
  beforeAll(async () => {
    rabbitmq = await startRabbitmq();
    model = await rabbitmq.connect();
  });
  afterAll(async () => {
    await model?.close();
    await rabbitmq?.[Symbol.asyncDispose]();
  });
  const settings = (): Record<string, string> => ({ ...rabbitmq.settings, "amqp.queue_type": type });
  const subject: BrokerSubject = {
    makeBroker: () => new AmqpBroker(queueSettings(settings()).amqp, log),
    makeConsumer: () => consumerOf("amqp", settings()),
    publish: ({ source }, body, headers) => sendTo(model, source.queue, body, { headers }),
    waiting: ({ source }) => ready(model, source.queue),
    dead: ({ source }) => ready(model, `${source.queue}.dead`),
  };
  for (const { name, run } of brokerComplianceTests(subject)) test(name, run);
});

describe("SQS", () => {
  let aws: FauxqsServer;
  let sqs: SQSClient;
  const credentials = { accessKeyId: "test", secretAccessKey: "test-secret" };
  beforeAll(async () => {
    aws = await startFauxqs({ port: 0, logger: false });
    sqs = new SQSClient({ region: "us-east-1", credentials, endpoint: aws.address });
    await sqs.send(new CreateQueueCommand({ QueueName: "warm-up" }));
  });
  afterAll(async () => {
    sqs?.destroy();
    await aws?.stop();
  });
  const settings = (): Record<string, string> => ({
    "aws_sns_sqs.region_name": "us-east-1",
    "aws_sns_sqs.aws_access_key_id": credentials.accessKeyId,
    "aws_sns_sqs.aws_secret_access_key": credentials.secretAccessKey,
    "aws_sns_sqs.wait_time": "1",
    "aws_endpoint_urls.sns": aws.address,
    "aws_endpoint_urls.sqs": aws.address,
  });
  const urlOf = async (queue: string): Promise<string | undefined> =>
    (await sqs.send(new GetQueueUrlCommand({ QueueName: queue })).catch(() => undefined))?.QueueUrl;
  const visible = async (queue: string): Promise<number> => {
    const QueueUrl = await urlOf(queue);
    if (QueueUrl === undefined) return 0;
    const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["ApproximateNumberOfMessages"] }));
    return Number(Attributes?.["ApproximateNumberOfMessages"]);
  };
  const subject: BrokerSubject = {
    makeBroker: () => new SqsBroker(queueSettings(settings()).sqs, log),
    makeConsumer: () => consumerOf("sqs", settings()),
    publish: async ({ source }, body, headers) => {
      const MessageAttributes = Object.fromEntries(
        Object.entries(headers).map(([name, StringValue]) => [name, { DataType: "String", StringValue }]),
      );
      await sqs.send(new SendMessageCommand({ QueueUrl: await urlOf(source.queue), MessageBody: body, MessageAttributes }));
    },
    waiting: ({ source }) => visible(source.queue),
    dead: ({ source }) => visible(`${source.queue}-dead`),
  };
  for (const { name, run } of brokerComplianceTests(subject)) test(name, run);
});
