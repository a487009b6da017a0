import {
  boolean,
  byteSize,
  integer,
  ConfigurationError,
  parseConfig,
  positive,
  setting,
  timespanOrSeconds,
  tupleOf,
  type Parser,
  type Reader,
} from "@tsserve/config";
import { commonSettings, metricsSpec } from "@tsserve/server";
import { amqpSettings, amqpSpec, type AmqpSettings } from "./amqp/settings.ts";
import { endpointSpec, sqsSettings, sqsSpec, type SqsSettings } from "./sqs/settings.ts";

type QueueSettingsSpec = {
  readonly stop_timeout: Reader<number>;
  readonly max_concurrency: Reader<number>;
  readonly message_timeout: Reader<number>;
  readonly max_message_size: Reader<number>;
  readonly retry_limit: Reader<number>;
  readonly retry_delay: Reader<readonly number[]>;
  readonly dead_letter: Reader<boolean>;
  readonly amqp: typeof amqpSpec;
  readonly aws_sns_sqs: typeof sqsSpec;
  readonly aws_endpoint_urls: typeof endpointSpec;
};

const notNegative: Parser<number> = (text) => {
  const value = integer(text);
  if (value < 0) throw new Error("expected 0 or more");
  return value;
};

/** The keys of `[server:…]` that `tsserve/queue` has, beside those of every server. */
export const settings: QueueSettingsSpec = {
  stop_timeout: setting(
    timespanOrSeconds,
    "30 seconds",
    "After the stop signal, how long messages that are being handled may take before they go back to their queue.",
  ),
  max_concurrency: setting(
    positive(integer),
    "10",
    "Handlers that run at once in one worker, over all consumers. A consumer's own `concurrency` narrows it.",
  ),
  message_timeout: setting(
    positive(timespanOrSeconds),
    "25 minutes",
    "How long a handler may take; then its `signal` aborts, and the message counts as failed. Keep it below RabbitMQ's `consumer_timeout`, 30 minutes.",
  ),
  max_message_size: setting(
    positive(byteSize),
    "16M",
    "The largest message that a handler gets to see, in bytes or as 512K, 16M; a larger one becomes a dead letter.",
  ),
  retry_limit: setting(notNegative, "10", "How many retries a message gets after its first run."),
  retry_delay: setting(
    tupleOf(timespanOrSeconds),
    "1 second, 10 seconds, 1 minute, 10 minutes",
    "How long to wait before the first retry, the second, …; the last one repeats.",
  ),
  dead_letter: setting(boolean, "true", "Whether messages that can't be handled are kept, in `QUEUE.dead`. `false` throws them away."),
  amqp: amqpSpec,
  aws_sns_sqs: sqsSpec,
  aws_endpoint_urls: endpointSpec,
};

export interface QueueSettings {
  readonly maxConcurrency: number;
  readonly messageTimeoutMs: number;
  readonly maxMessageBytes: number;
  readonly retry: { readonly limit: number; readonly delaysMs: readonly number[] };
  readonly keepsDeadLetters: boolean;
  /** Whether the metrics of baseplate's consumers are kept, too. */
  readonly hasBaseplateNames: boolean;
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
  readonly amqp: AmqpSettings;
  readonly sqs: SqsSettings;
}

/** What a stop needs after the last answer of SQS. */
const afterWaitMs = 5000;

/**
 * @param folder of the INI file, from which files are found
 * @throws {ConfigurationError}
 */
export function queueSettings(raw: Readonly<Record<string, string>>, folder?: string): QueueSettings {
  const { start_timeout } = commonSettings;
  const { baseplate_names } = metricsSpec;
  const parsed = parseConfig(raw, { ...settings, start_timeout, metrics: { baseplate_names } });
  return {
    maxConcurrency: parsed.max_concurrency,
    messageTimeoutMs: parsed.message_timeout,
    maxMessageBytes: parsed.max_message_size,
    retry: { limit: parsed.retry_limit, delaysMs: parsed.retry_delay },
    keepsDeadLetters: parsed.dead_letter,
    hasBaseplateNames: parsed.metrics.baseplate_names,
    startTimeoutMs: parsed.start_timeout,
    stopTimeoutMs: parsed.stop_timeout,
    amqp: amqpSettings(raw, folder),
    sqs: withinStop(sqsSettings(raw, folder), raw, parsed.stop_timeout),
  };
}

/** A stop waits for the open questions to SQS: where nobody has said how long they wait, they wait no longer than it can. */
function withinStop(sqs: SqsSettings, raw: Readonly<Record<string, string>>, stopTimeoutMs: number): SqsSettings {
  const longestMs = Math.max(1000, stopTimeoutMs - afterWaitMs);
  if (sqs.waitTimeMs <= longestMs) return sqs;
  const key = "aws_sns_sqs.wait_time";
  const value = raw[key];
  if (value === undefined || value === "") return { ...sqs, waitTimeMs: Math.floor(longestMs / 1000) * 1000 };
  const message = `expected at most ${longestMs / 1000} seconds: stop_timeout less ${afterWaitMs / 1000}, because a stop waits for open questions`;
  throw new ConfigurationError([{ key, message, value }]);
}
