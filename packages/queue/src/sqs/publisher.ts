import type { MessageAttributeValue } from "@aws-sdk/client-sqs";
import { messageBytes } from "../message-bytes.ts";
import { PublishError } from "../publish-error.ts";
import type { PublisherParts } from "../publisher.ts";
import { Batch } from "./batch.ts";
import { awsOpeners, type AwsOpeners, type SnsApi, type SqsApi } from "./connection.ts";
import { errorName, explainError } from "./explain-error.ts";
import type { SnsPublishOptions, SqsPublishOptions, SqsSendEntry, SqsSendResult } from "./publish-options.ts";
import type { SqsSettings } from "./settings.ts";
import { encodeTopic, withFifo } from "./source.ts";
import { queueUrl } from "./topology.ts";

interface Entry {
  readonly MessageBody: string;
  readonly MessageAttributes: Record<string, MessageAttributeValue>;
  readonly DelaySeconds?: number;
  readonly MessageGroupId?: string;
  readonly MessageDeduplicationId?: string;
}

/** SQS's limit for all messages of one request. */
const mostBytes = 1_048_576;

/** Publishes to SNS and SQS. */
export class SqsPublisher {
  readonly #settings: SqsSettings;
  readonly #parts: PublisherParts;
  readonly #open: AwsOpeners;
  #sqs: SqsApi | undefined;
  #sns: SnsApi | undefined;
  readonly #urls = new Map<string, string>();
  readonly #topics = new Map<string, string>();
  readonly #outstanding = new Set<Promise<unknown>>();

  /** @param open the clients, when they are needed first */
  constructor(settings: SqsSettings, parts: PublisherParts, open: AwsOpeners = awsOpeners) {
    this.#open = open;
    this.#settings = settings;
    this.#parts = parts;
  }

  /** @throws {BrokerError} `library` */
  async prepare(): Promise<void> {
    await this.#sqsReady();
  }

  async publish(topic: string, data: unknown, options: SnsPublishOptions = {}): Promise<void> {
    const { client, library } = await this.#snsReady();
    const { MessageBody, ...rest } = this.#entry(data, options, topic.endsWith(".fifo"));
    await this.#counted(async () => {
      try {
        const TopicArn = await this.#topicArn(topic);
        await client.send(new library.PublishCommand({ TopicArn, Message: MessageBody, ...rest }));
      } catch (error) {
        throw publishError(error, `the topic "${topic}"`);
      }
    });
  }

  async send(queue: string, data: unknown, options: SqsPublishOptions = {}): Promise<void> {
    const [result] = await this.sendAll(queue, [{ ...options, data }]);
    if (result?.ok === false) throw result.error;
  }

  async sendAll(queue: string, entries: readonly SqsSendEntry[]): Promise<SqsSendResult[]> {
    const { client, library } = await this.#sqsReady();
    return this.#counted(async () => {
      const what = `the queue "${queue}"`;
      let QueueUrl: string;
      try {
        QueueUrl = await this.#queueUrl(queue);
      } catch (error) {
        throw publishError(error, what);
      }
      const batch = new Batch<Entry>({
        lingerMs: 0,
        send: async (list) => (await client.send(new library.SendMessageBatchCommand({ QueueUrl, Entries: [...list] }))).Failed ?? [],
      });
      let bytes = 0;
      const sent = entries.map(({ data, ...options }) => {
        const entry = this.#entry(data, options, QueueUrl.endsWith(".fifo"));
        const size = Buffer.byteLength(entry.MessageBody) + Buffer.byteLength(JSON.stringify(entry.MessageAttributes));
        if (bytes + size > mostBytes) {
          batch.flush();
          bytes = 0;
        }
        bytes += size;
        return batch.add(entry);
      });
      batch.flush();
      return (await Promise.all(sent)).map((failure): SqsSendResult => {
        if (failure === undefined) return { ok: true };
        const code = failure.SenderFault === true ? "REFUSED" : "LOST";
        const doubt = code === "LOST" ? ": it may have been sent" : "";
        return {
          ok: false,
          error: new PublishError(code, `${what} did not take the message: ${failure.Code}: ${failure.Message}${doubt}`),
        };
      });
    });
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#outstanding);
    this.#sqs?.client.destroy();
    this.#sns?.client.destroy();
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    const working = work();
    this.#outstanding.add(working);
    try {
      return await working;
    } finally {
      this.#outstanding.delete(working);
    }
  }

  #entry(data: unknown, { headers, delaySeconds, groupId, deduplicationId }: SqsPublishOptions, isFifo: boolean): Entry {
    const { bytes } = messageBytes(data);
    const all = { ...this.#parts.headers(), ...headers };
    const attributes = Object.entries(all).map(([name, value]) => [name, { DataType: "String", StringValue: value }] as const);
    return {
      MessageBody: bytes.toString(),
      MessageAttributes: Object.fromEntries(attributes),
      ...(delaySeconds === undefined ? {} : { DelaySeconds: delaySeconds }),
      ...(isFifo ? { MessageGroupId: groupId ?? "default", MessageDeduplicationId: deduplicationId ?? this.#parts.makeId() } : {}),
    };
  }

  async #queueUrl(queue: string): Promise<string> {
    const known = this.#urls.get(queue);
    if (known !== undefined) return known;
    const name = queue.startsWith("arn:") ? queue : this.#settings.queueNamePrefix + queue;
    const url = await queueUrl(await this.#sqsReady(), name);
    if (url === undefined) throw new PublishError("NO_ROUTE", `not sent: there is no queue "${name}"`);
    this.#urls.set(queue, url);
    return url;
  }

  /** The topic is made where it is absent, as tomodachi does: whoever subscribes later is no business of the publisher's. */
  async #topicArn(topic: string): Promise<string> {
    const known = this.#topics.get(topic);
    if (known !== undefined) return known;
    const { client, library } = await this.#snsReady();
    const isFifo = topic.endsWith(".fifo");
    const name = withFifo(encodeTopic(this.#settings.topicPrefix + topic.replace(/\.fifo$/, "")), isFifo);
    const { TopicArn = "" } = topic.startsWith("arn:")
      ? { TopicArn: topic }
      : await client.send(new library.CreateTopicCommand({ Name: name, Attributes: isFifo ? { FifoTopic: "true" } : {} }));
    this.#topics.set(topic, TopicArn);
    return TopicArn;
  }

  async #sqsReady(): Promise<SqsApi> {
    return (this.#sqs ??= await this.#open.sqs("publishing to SQS", this.#settings));
  }

  async #snsReady(): Promise<SnsApi> {
    return (this.#sns ??= await this.#open.sns("publishing to SNS", this.#settings));
  }
}

function publishError(error: unknown, what: string): PublishError {
  if (error instanceof PublishError) return error;
  const { reason, message } = explainError(error, what);
  if (reason === "unreachable" && /ECONNREFUSED|ENOTFOUND/.test(message))
    return new PublishError("UNAVAILABLE", `not sent: ${message}`, { cause: error });
  if (reason === "timeout" || reason === "unreachable")
    return new PublishError("LOST", `${message} (${errorName(error)}): it may have been sent`, { cause: error });
  return new PublishError("REFUSED", `not sent: ${message}`, { cause: error });
}
