import { createHash } from "node:crypto";
import type { SqsConsumerOptions } from "../consumer-options.ts";
import type { SqsSource } from "../consumer-definition.ts";
import { millisecondsOf } from "../milliseconds.ts";
import type { SqsSettings } from "./settings.ts";

const fifoEnding = ".fifo";

/** The ending that AWS asks of the names of FIFO queues and topics. */
export function withFifo(name: string, isFifo: boolean): string {
  return isFifo && !name.endsWith(fifoEnding) ? `${name}${fifoEnding}` : name;
}

/** A topic's name as AWS allows it: other characters as `___` and the hex of their bytes, as in tomodachi. `*` stands for anything. */
export function encodeTopic(name: string): string {
  return name.replace(/[^a-zA-Z0-9_*-]/gu, (character) => `___${Buffer.from(character).toString("hex")}_`);
}

/**
 * Where an SQS consumer's messages come from.
 *
 * @param options checked
 * @param processId tells the queues of processes apart that share none
 */
export function sqsSource(name: string, options: SqsConsumerOptions, settings: SqsSettings, processId: string): SqsSource {
  const { topics = [], fifo = false, raw = false, filterPolicy, visibilityTimeout, competing = true } = options;
  const named = topics.map((topic) => withFifo(encodeTopic(settings.topicPrefix + topic.replace(/\.fifo$/, "")), fifo));
  const encoded = topics.map(encodeTopic).join(",");
  const made = competing ? encoded : `${encoded}${name}${processId}`;
  const written = options.queue ?? createHash("sha256").update(made).digest("hex");
  // An ARN names a queue as it is.
  const queue = written.startsWith("arn:") ? written : withFifo(settings.queueNamePrefix + written, fifo);
  return {
    system: "aws_sqs",
    queue,
    topics: named,
    isFifo: fifo,
    isRaw: raw,
    filterPolicy,
    visibilityTimeoutMs: visibilityTimeout === undefined ? settings.visibilityTimeoutMs : millisecondsOf(visibilityTimeout),
    isCompeting: competing,
  };
}

/** For `tsserve routes`: `signed-up → mails`. */
export function sqsRoute({ queue, topics }: SqsSource): string {
  return topics.length === 0 ? queue : `${topics.join(", ")} → ${queue}`;
}
