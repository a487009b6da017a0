import { asError, maskSecret } from "@tsserve/config";
import type { MessageAttributeValue } from "@aws-sdk/client-sqs";
import type { Logger } from "pino";
import type { SqsSource } from "../consumer-definition.ts";
import type { DeadReason, Failure } from "../delivery.ts";
import { Batch } from "./batch.ts";
import type { SqsApi } from "./connection.ts";
import type { SqsDelivery } from "./delivery.ts";
import { fitAttributes } from "./fit-attributes.ts";
import { deadLetterQueue, queueUrl, type SqsQueue } from "./topology.ts";

/** SQS's limit (docs.aws.amazon.com/AWSSimpleQueueService, "message quotas"). */
const longestVisibilityMs = 43_200_000;

const longestErrorCharacters = 900;

/** How messages of one queue leave: deleted, visible again, or sent on to the dead letters. Each of the three in batches. */
export class SqsSettlement {
  readonly #api: SqsApi;
  readonly #queue: SqsQueue;
  readonly #source: SqsSource;
  readonly #log: Logger;
  readonly #deletes: Batch<{ readonly ReceiptHandle: string }>;
  readonly #changes: Batch<{ readonly ReceiptHandle: string; readonly VisibilityTimeout: number }>;
  /** What was received and has not left. */
  readonly held: Set<SqsDelivery> = new Set();
  #deadUrl: Promise<string> | undefined;

  constructor(api: SqsApi, queue: SqsQueue, source: SqsSource, log: Logger) {
    const { client, library } = api;
    this.#api = api;
    this.#queue = queue;
    this.#source = source;
    this.#log = log;
    const QueueUrl = queue.url;
    this.#deletes = new Batch({
      send: async (entries) => (await client.send(new library.DeleteMessageBatchCommand({ QueueUrl, Entries: [...entries] }))).Failed ?? [],
    });
    this.#changes = new Batch({
      send: async (entries) =>
        (await client.send(new library.ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries: [...entries] }))).Failed ?? [],
    });
  }

  /** @returns whether it is gone from the queue */
  async delete(delivery: SqsDelivery): Promise<boolean> {
    const failure = await this.#deletes.add({ ReceiptHandle: handleOf(delivery) });
    this.held.delete(delivery);
    if (failure === undefined) return true;
    this.#log.warn({ message_id: delivery.id, reason: failure.Code }, "a message that was handled could not be deleted: it comes again");
    return false;
  }

  /** Others, or this worker, get it after so long. */
  async makeVisible(delivery: SqsDelivery, delayMs: number): Promise<void> {
    this.held.delete(delivery);
    const seconds = Math.ceil(Math.min(delayMs, longestVisibilityMs) / 1000);
    await this.#changes.add({ ReceiptHandle: handleOf(delivery), VisibilityTimeout: seconds });
  }

  /** Keeps what is held from becoming visible: at half of its time. Buffered messages expire, too. */
  async prolong(): Promise<void> {
    const { visibilityTimeoutMs } = this.#queue;
    const now = performance.now();
    const due = [...this.held].filter(({ invisibleUntil }) => invisibleUntil - now < visibilityTimeoutMs / 2);
    await Promise.all(
      due.map(async (delivery) => {
        const until = performance.now() + visibilityTimeoutMs;
        // Not asked for once more while this is on its way.
        delivery.invisibleUntil = until;
        const failure = await this.#changes.add({
          ReceiptHandle: handleOf(delivery),
          VisibilityTimeout: Math.ceil(visibilityTimeoutMs / 1000),
        });
        if (failure === undefined) return;
        delivery.isStale = true;
        this.held.delete(delivery);
        this.#log.warn(
          { message_id: delivery.id, reason: failure.Code },
          "a message could not be kept: others may get it while it is handled here",
        );
      }),
    );
  }

  /** A copy, with the reason. The original is deleted by whoever calls, afterwards. @throws what AWS says */
  async sendToDead(delivery: SqsDelivery, reason: DeadReason, failure: Failure): Promise<void> {
    this.#deadUrl ??= this.#findDead();
    let url: string;
    try {
      url = await this.#deadUrl;
    } catch (error) {
      this.#deadUrl = undefined;
      throw error;
    }
    const { client, library } = this.#api;
    const { MessageId, Body = "", MessageAttributes = {} } = delivery.raw;
    const fifo = this.#source.isFifo ? { MessageGroupId: delivery.group ?? "dead", MessageDeduplicationId: MessageId ?? "" } : {};
    const attributes = fitAttributes(Body, MessageAttributes, deadAttributes(this.#source, reason, failure, MessageAttributes));
    await client.send(new library.SendMessageCommand({ QueueUrl: url, MessageBody: Body, MessageAttributes: attributes, ...fifo }));
  }

  /** Gives back everything that is held, and sends what was collected. */
  async close(): Promise<void> {
    const held = [...this.held].map((delivery) => this.makeVisible(delivery, 0));
    this.#changes.flush();
    this.#deletes.flush();
    await Promise.all(held);
  }

  async #findDead(): Promise<string> {
    const { redrive } = this.#queue;
    const known = redrive === undefined ? undefined : await queueUrl(this.#api, redrive.deadLetterQueue);
    return known ?? deadLetterQueue(this.#api, this.#source, this.#log);
  }
}

function handleOf({ raw }: SqsDelivery): string {
  return raw.ReceiptHandle ?? "";
}

/** The same names as the headers of RabbitMQ's dead letters, the most important first. */
function deadAttributes(
  { queue }: SqsSource,
  reason: DeadReason,
  { error, failures, retryLimit }: Failure,
  known: Readonly<Record<string, MessageAttributeValue>>,
): Record<string, MessageAttributeValue> {
  const { name, message } = asError(error);
  const text = `${name}: ${message}`;
  const values = {
    "x-dead-reason": reason,
    "x-original-queue": queue,
    "x-last-error": plain(maskSecret("", text).slice(0, longestErrorCharacters)),
    "x-retry-count": String(failures),
    "x-retry-limit": known["x-retry-limit"]?.StringValue ?? String(retryLimit),
    "x-first-failed-at": known["x-first-failed-at"]?.StringValue ?? new Date().toISOString(),
  };
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, { DataType: "String", StringValue: value }]));
}

/** SQS takes the characters of XML only, no half of a surrogate pair, and no empty value. */
function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is to be removed
  return text.replaceAll(/\p{Surrogate}/gu, "\uFFFD").replaceAll(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, " ") || "-";
}
