import type { Logger } from "pino";
import { expect, test, vi } from "vitest";
import type { Sink } from "../broker.ts";
import { readConsumers } from "../read-consumers.ts";
import { queueSettings } from "../settings.ts";
import { SqsBroker } from "./broker.ts";
import { FakeAws } from "./fake-aws.ts";

const log = { info: vi.fn(), warn: vi.fn(), error: vi.fn() } as unknown as Logger;

/** Consumers of an AWS in memory, with topics and without, and which clients they have had opened. */
function made() {
  const aws = new FakeAws({
    GetQueueUrl: ({ QueueName }) => ({ QueueUrl: `http://sqs/${String(QueueName)}` }),
    GetQueueAttributes: () => ({ Attributes: { QueueArn: "arn:queue", VisibilityTimeout: "30" } }),
    CreateTopic: ({ Name }) => ({ TopicArn: `arn:${String(Name)}` }),
    ReceiveMessage: () => new Promise((resolve) => setTimeout(resolve, 20)),
  });
  const handle = (): void => undefined;
  const settings = queueSettings({});
  const definitions = readConsumers(
    {
      consumers: [
        { name: "plain", sqs: { queue: "q" }, handle },
        { name: "topical", sqs: { queue: "r", topics: ["signed-up"] }, handle },
        { name: "other", amqp: { queue: "s" }, handle },
      ],
    },
    settings,
  );
  const opened: string[] = [];
  const destroy = vi.fn();
  const { api } = aws;
  Object.assign(api.client, { destroy });
  const open = (which: string) => (neededBy: string) => {
    opened.push(`${which} for ${neededBy}`);
    return Promise.resolve(api);
  };
  const broker = new SqsBroker(settings.sqs, log, { sqs: open("sqs"), sns: open("sns") });
  const sink: Sink = { subscribed: vi.fn(), unsubscribed: vi.fn(), unheard: vi.fn(), deliver: vi.fn() };
  const subscribe = (name: string) => broker.subscribe(definitions.find((each) => each.name === name) ?? expect.fail(), sink);
  return { broker, subscribe, opened, destroy };
}

test("the client of SQS is opened once for all, that of SNS by the first consumer with a topic", async () => {
  const { broker, subscribe, opened, destroy } = made();
  for (const name of ["plain", "topical"]) await broker.prepare(name);
  expect(opened).toEqual(['sqs for consumer "plain"']);
  const subscriptions = [subscribe("plain"), subscribe("topical")];
  await Promise.all(subscriptions.map(({ first }) => first));
  expect(opened).toEqual(['sqs for consumer "plain"', 'sns for consumer "topical"']);
  await Promise.all(subscriptions.map((each) => each.cancel()));
  for (const each of subscriptions) await each.close();
  await broker.close();
  expect(destroy).toHaveBeenCalledTimes(2);
});

test("it closes what was opened, no more, and takes no consumer of another broker", async () => {
  const { broker, subscribe, destroy } = made();
  expect(() => subscribe("other")).toThrow(TypeError);
  await broker.close();
  expect(destroy).not.toHaveBeenCalled();
});
