import type { Logger } from "pino";
import type { SqsSource } from "../consumer-definition.ts";
import type { SnsApi, SqsApi } from "./connection.ts";
import { errorName, explainError, isMissingQueue } from "./explain-error.ts";
import type { SqsSettings } from "./settings.ts";
import { withFifo } from "./source.ts";

/** SQS's own default. */
const usualVisibilitySeconds = 30;

/** A queue that is there. */
export interface SqsQueue {
  readonly url: string;
  readonly arn: string;
  readonly visibilityTimeoutMs: number;
  /** Of its redrive policy, which is the user's. */
  readonly redrive: { readonly deadLetterQueue: string; readonly maxReceiveCount: number } | undefined;
}

/** Sees to it that a consumer's queue, topics and subscriptions are there; what exists is left as it is, but for what was set. @throws {BrokerError} */
export async function declareSource(
  sqs: SqsApi,
  sns: () => Promise<SnsApi>,
  source: SqsSource,
  settings: SqsSettings,
  log: Logger,
): Promise<SqsQueue> {
  try {
    const attributes = queueAttributes(source, settings);
    const { url, isNew } = await findOrCreate(sqs, source.queue, attributes, log);
    const found = await attributesOf(sqs, url);
    if (!isNew) await setWhatDiffers(sqs, url, found, attributes);
    const arn = found["QueueArn"] ?? "";
    if (source.topics.length > 0)
      await subscribeTopics(sqs, await sns(), source, settings, { url, arn, hasPolicy: found["Policy"] !== undefined && !isNew });
    // A queue whose messages are visible at once is asked for longer: else each question would bring what is being handled.
    const ownSeconds = Number(found["VisibilityTimeout"]) || usualVisibilitySeconds;
    const visibilityTimeoutMs = source.visibilityTimeoutMs ?? ownSeconds * 1000;
    return { url, arn, visibilityTimeoutMs, redrive: redriveOf(found["RedrivePolicy"]) };
  } catch (error) {
    throw explainError(error, `the queue "${source.queue}"`);
  }
}

/** The URL of a queue for dead letters, made where it is absent. @throws what AWS says */
export async function deadLetterQueue(sqs: SqsApi, { queue, isFifo }: SqsSource, log: Logger): Promise<string> {
  const name = withFifo(`${nameOf(queue).replace(/\.fifo$/, "")}-dead`, isFifo);
  // AWS keeps messages for 4 days unless told otherwise: whoever looks for a dead one needs more.
  const attributes = { MessageRetentionPeriod: "1209600", ...(isFifo ? { FifoQueue: "true" } : {}) };
  return (await findOrCreate(sqs, name, attributes, log)).url;
}

/** @returns undefined where there is none. @throws what AWS says */
export async function queueUrl({ client, library }: SqsApi, queue: string): Promise<string | undefined> {
  const account = queue.startsWith("arn:") ? queue.split(":")[4] : undefined;
  try {
    const command = new library.GetQueueUrlCommand({
      QueueName: nameOf(queue),
      ...(account === undefined ? {} : { QueueOwnerAWSAccountId: account }),
    });
    return (await client.send(command)).QueueUrl;
  } catch (error) {
    if (isMissingQueue(error)) return undefined;
    throw error;
  }
}

function nameOf(queue: string): string {
  return queue.startsWith("arn:") ? (queue.split(":")[5] ?? queue) : queue;
}

async function findOrCreate(
  sqs: SqsApi,
  queue: string,
  attributes: Readonly<Record<string, string>>,
  log: Logger,
): Promise<{ readonly url: string; readonly isNew: boolean }> {
  const found = await queueUrl(sqs, queue);
  if (found !== undefined) return { url: found, isNew: false };
  const set = Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ""));
  const { QueueUrl: url = "" } = await sqs.client.send(new sqs.library.CreateQueueCommand({ QueueName: nameOf(queue), Attributes: set }));
  log.info({ queue, attributes: set }, `the queue ${queue} was not there: it is made`);
  return { url, isNew: true };
}

/** What is to be set; an empty text removes. */
function queueAttributes({ isFifo, visibilityTimeoutMs }: SqsSource, settings: SqsSettings): Record<string, string> {
  const { sqsKmsMasterKeyId: key, sqsKmsReusePeriodSeconds: period } = settings;
  return {
    ...(isFifo
      ? {
          FifoQueue: "true",
          ContentBasedDeduplication: "false",
          DeduplicationScope: "messageGroup",
          FifoThroughputLimit: "perMessageGroupId",
        }
      : {}),
    ...(visibilityTimeoutMs === undefined ? {} : { VisibilityTimeout: String(Math.ceil(visibilityTimeoutMs / 1000)) }),
    ...(key === undefined ? {} : { KmsMasterKeyId: key ?? "" }),
    ...(period === undefined ? {} : { KmsDataKeyReusePeriodSeconds: String(period ?? 300) }),
  };
}

async function attributesOf({ client, library }: SqsApi, url: string): Promise<Readonly<Record<string, string>>> {
  const { Attributes = {} } = await client.send(new library.GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["All"] }));
  return Attributes;
}

async function setWhatDiffers(
  { client, library }: SqsApi,
  url: string,
  found: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): Promise<void> {
  const isSettable = (name: string): boolean => name === "VisibilityTimeout" || name.startsWith("Kms");
  const differing = Object.entries(wanted).filter(([name, value]) => isSettable(name) && (found[name] ?? "") !== value);
  if (differing.length === 0) return;
  await client.send(new library.SetQueueAttributesCommand({ QueueUrl: url, Attributes: Object.fromEntries(differing) }));
}

function redriveOf(policy: string | undefined): SqsQueue["redrive"] {
  if (policy === undefined || policy === "") return undefined;
  const { deadLetterTargetArn, maxReceiveCount } = JSON.parse(policy) as { deadLetterTargetArn: string; maxReceiveCount: number | string };
  return { deadLetterQueue: deadLetterTargetArn, maxReceiveCount: Number(maxReceiveCount) };
}

async function subscribeTopics(
  sqs: SqsApi,
  sns: SnsApi,
  source: SqsSource,
  settings: SqsSettings,
  queue: { readonly url: string; readonly arn: string; readonly hasPolicy: boolean },
): Promise<void> {
  const arns: string[] = [];
  for (const topic of source.topics) arns.push(...(await topicArns(sns, topic, queue.arn, source, settings)));
  if (!queue.hasPolicy) {
    const policy = policyFor(source, settings, queue.arn, arns);
    await sqs.client.send(new sqs.library.SetQueueAttributesCommand({ QueueUrl: queue.url, Attributes: { Policy: policy } }));
  }
  for (const arn of arns) await subscribe(sns, arn, queue.arn, source);
}

/** The topic of a name, made where it is absent; with a `*`, those that are there. */
async function topicArns(sns: SnsApi, topic: string, queueArn: string, { isFifo }: SqsSource, settings: SqsSettings): Promise<string[]> {
  const { client, library } = sns;
  if (topic.includes("*")) {
    const pattern = new RegExp(
      `^${topic
        .split("*")
        .map((part) => part.replaceAll(/[.\\]/g, "\\$&"))
        .join(".*")}$`,
    );
    const arns: string[] = [];
    for (let token: string | undefined; ;) {
      const { Topics = [], NextToken } = await client.send(new library.ListTopicsCommand(token === undefined ? {} : { NextToken: token }));
      arns.push(...Topics.flatMap(({ TopicArn: arn }) => (arn !== undefined && pattern.test(arn.split(":").at(-1) ?? "") ? [arn] : [])));
      if (NextToken === undefined || NextToken === "") return arns;
      token = NextToken;
    }
  }
  const [, partition, , region, account] = queueArn.split(":");
  const arn = `arn:${partition}:sns:${region}:${account}:${topic}`;
  const { snsKmsMasterKeyId: key } = settings;
  try {
    const { Attributes = {} } = await client.send(new library.GetTopicAttributesCommand({ TopicArn: arn }));
    if (key !== undefined && (Attributes["KmsMasterKeyId"] ?? "") !== (key ?? ""))
      await client.send(
        new library.SetTopicAttributesCommand({ TopicArn: arn, AttributeName: "KmsMasterKeyId", AttributeValue: key ?? "" }),
      );
    return [arn];
  } catch (error) {
    if (errorName(error) !== "NotFoundException" && errorName(error) !== "NotFound") throw error;
  }
  const attributes = { ...(isFifo ? { FifoTopic: "true" } : {}), ...(typeof key === "string" ? { KmsMasterKeyId: key } : {}) };
  const { TopicArn = arn } = await client.send(new library.CreateTopicCommand({ Name: topic, Attributes: attributes }));
  return [TopicArn];
}

function policyFor(
  { topics }: SqsSource,
  { queuePolicy, wildcardQueuePolicy }: SqsSettings,
  queueArn: string,
  topicArnList: readonly string[],
): string {
  const wildcard = topics.find((topic) => topic.includes("*"));
  const written = wildcard === undefined ? queuePolicy : wildcardQueuePolicy;
  if (written !== undefined) return written;
  const [, partition, , region, account] = queueArn.split(":");
  const sources =
    wildcard === undefined ? topicArnList : [`arn:${partition}:sns:${region}:${account}:${wildcard.slice(0, wildcard.indexOf("*"))}*`];
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Service: "sns.amazonaws.com" },
        Action: "sqs:SendMessage",
        Resource: queueArn,
        Condition: { ArnLike: { "aws:SourceArn": sources } },
      },
    ],
  });
}

async function subscribe(
  { client, library }: SnsApi,
  topicArn: string,
  queueArn: string,
  { isRaw, filterPolicy }: SqsSource,
): Promise<void> {
  const wanted: Record<string, string> = {
    ...(isRaw ? { RawMessageDelivery: "true" } : {}),
    ...(filterPolicy === undefined ? {} : { FilterPolicy: JSON.stringify(filterPolicy) }),
  };
  const known = await subscriptionArn({ client, library }, topicArn, queueArn);
  if (known === undefined) {
    await client.send(new library.SubscribeCommand({ TopicArn: topicArn, Protocol: "sqs", Endpoint: queueArn, Attributes: wanted }));
    return;
  }
  const { Attributes: found = {} } = await client.send(new library.GetSubscriptionAttributesCommand({ SubscriptionArn: known }));
  const differs = ([name, value]: [string, string]): boolean => sameJson(found[name] ?? "") !== sameJson(value);
  const target = { RawMessageDelivery: isRaw ? "true" : "false", ...wanted };
  for (const [name, value] of Object.entries(target).filter(differs))
    if (name !== "RawMessageDelivery" || value === "true" || found[name] === "true")
      await client.send(
        new library.SetSubscriptionAttributesCommand({ SubscriptionArn: known, AttributeName: name, AttributeValue: value }),
      );
}

async function subscriptionArn({ client, library }: SnsApi, topicArn: string, queueArn: string): Promise<string | undefined> {
  for (let token: string | undefined; ;) {
    const input = { TopicArn: topicArn, ...(token === undefined ? {} : { NextToken: token }) };
    const { Subscriptions = [], NextToken } = await client.send(new library.ListSubscriptionsByTopicCommand(input));
    const found = Subscriptions.find(({ Endpoint }) => Endpoint === queueArn)?.SubscriptionArn;
    if (found !== undefined && found.startsWith("arn:")) return found;
    if (NextToken === undefined || NextToken === "") return undefined;
    token = NextToken;
  }
}

function sameJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}
