import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { ConfigurationError, didYouMean, type Problem } from "@tsserve/config";
import { amqpSource } from "./amqp/source.ts";
import type { ConsumerDefinition, RetryPolicy } from "./consumer-definition.ts";
import type { AmqpConsumerOptions, ConsumerOptions, SqsConsumerOptions } from "./consumer-options.ts";
import type { Parse } from "./message.ts";
import { millisecondsOf } from "./milliseconds.ts";
import { json } from "./parse/json.ts";
import type { QueueSettings } from "./settings.ts";
import { longestVisibilityMs } from "./sqs/settings.ts";
import { sqsSource } from "./sqs/source.ts";

/** Gives a text of what was expected where a value is not that. */
type Check = (value: unknown) => string | undefined;

const text: Check = (value) => (typeof value === "string" && value !== "" ? undefined : "a text that is not empty");
const texts: Check = (value) => (Array.isArray(value) && value.every((each) => text(each) === undefined) ? undefined : "a list of texts");
const flag: Check = (value) => (typeof value === "boolean" ? undefined : "true or false");
const callable: Check = (value) => (typeof value === "function" ? undefined : "a function");
const record: Check = (value) => (isRecord(value) ? undefined : "an object");
const positiveInteger: Check = (value) => (Number.isInteger(value) && (value as number) > 0 ? undefined : "an integer above 0");
const count: Check = (value) => (Number.isInteger(value) && (value as number) >= 0 ? undefined : "an integer of 0 or more");
const prefetch: Check = (value) =>
  positiveInteger(value) === undefined && (value as number) <= 65_535 ? undefined : "an integer of 1 to 65535";
const time: Check = (value) => {
  try {
    millisecondsOf(value);
    return undefined;
  } catch {
    return "milliseconds, or a timespan such as 30 seconds";
  }
};
/** SQS's limits; at 0 each question would bring what is being handled. */
const visibility: Check = (value) => {
  const ms = time(value) === undefined ? millisecondsOf(value as string | number) : Number.NaN;
  return ms >= 1000 && ms <= longestVisibilityMs ? undefined : "a timespan of 1 second to 12 hours";
};
const times: Check = (value) =>
  Array.isArray(value) && value.length > 0 && value.every((each) => time(each) === undefined)
    ? undefined
    : "a list of milliseconds or timespans such as 30 seconds, at least one";

const consumerKeys: Readonly<Record<keyof ConsumerOptions, Check>> = {
  name: text,
  amqp: record,
  sqs: record,
  concurrency: positiveInteger,
  retry: record,
  parse: callable,
  handle: callable,
};
const retryKeys = { limit: count, delays: times };
const amqpKeys: Readonly<Record<keyof AmqpConsumerOptions, Check>> = {
  queue: text,
  routingKeys: texts,
  exchange: text,
  competing: flag,
  ordered: flag,
  prefetch,
  arguments: record,
};
const sqsKeys: Readonly<Record<keyof SqsConsumerOptions, Check>> = {
  queue: text,
  topics: texts,
  fifo: flag,
  filterPolicy: record,
  raw: flag,
  visibilityTimeout: visibility,
  competing: flag,
};

/**
 * The consumers of an app, complete.
 *
 * @throws {ConfigurationError} with everything that is wrong with them
 */
export function readConsumers(app: unknown, settings: QueueSettings): ConsumerDefinition[] {
  const problems: Problem[] = [];
  const report = (key: string, message: string, value?: unknown): void => {
    problems.push({ key, message, value: value === undefined ? undefined : shown(value), section: "app" });
  };
  const list: unknown = isRecord(app) ? app["consumers"] : undefined;
  if (!Array.isArray(list)) report("consumers", "the app factory must give { consumers: [ … ] }", isRecord(app) ? Object.keys(app) : app);
  else if (list.length === 0) report("consumers", "expected at least one consumer");
  const processId = randomUUID();
  const definitions: ConsumerDefinition[] = [];
  for (const [index, value] of (Array.isArray(list) ? list : []).entries()) {
    const place = `consumers[${index}]`;
    const before = problems.length;
    if (isRecord(value)) checkConsumer(value, place, settings, report);
    else report(place, "expected an object { name, amqp or sqs, handle }", value);
    if (problems.length > before) continue;
    const definition = makeDefinition(value as ConsumerOptions, settings, processId);
    checkLengths(definition, place, report);
    checkUnique(definition, definitions, place, report);
    definitions.push(definition);
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  return definitions;
}

type Report = (key: string, message: string, value?: unknown) => void;

function checkConsumer(consumer: Record<string, unknown>, place: string, settings: QueueSettings, report: Report): void {
  checkKeys(consumer, consumerKeys, place, report);
  for (const key of ["name", "handle"] as const)
    if (consumer[key] === undefined)
      report(`${place}.${key}`, `a consumer needs ${key === "name" ? "a name" : "a function that handles its messages"}`);
  const { amqp, sqs, retry, concurrency } = consumer;
  if ((amqp === undefined) === (sqs === undefined))
    report(
      place,
      amqp === undefined
        ? "expected one of amqp and sqs, which says where its messages come from"
        : "expected one of amqp and sqs, found both",
    );
  if (isRecord(retry)) checkKeys(retry, retryKeys, `${place}.retry`, report);
  if (isRecord(amqp)) checkAmqp(amqp, `${place}.amqp`, concurrency, report);
  if (isRecord(sqs)) checkSqs(sqs, `${place}.sqs`, report);
  if (typeof concurrency === "number" && concurrency > settings.maxConcurrency)
    report(`${place}.concurrency`, `expected at most max_concurrency, which is ${settings.maxConcurrency}`, concurrency);
}

function checkAmqp(amqp: Record<string, unknown>, place: string, concurrency: unknown, report: Report): void {
  checkKeys(amqp, amqpKeys, place, report);
  const { queue, routingKeys, competing, ordered } = amqp;
  if (queue === undefined && (!Array.isArray(routingKeys) || routingKeys.length === 0))
    report(place, "expected a queue, or routingKeys to bind one of our own for");
  if (queue !== undefined && competing === false)
    report(
      `${place}.competing`,
      "a queue with a name is shared by all workers: leave the name out, and each process has a queue of its own",
    );
  if (ordered === true && typeof concurrency === "number" && concurrency > 1)
    report(`${place}.ordered`, `an ordered consumer handles one message at a time, but its concurrency is ${concurrency}`);
  if (ordered === true && amqp["prefetch"] !== undefined && amqp["prefetch"] !== 1)
    report(`${place}.prefetch`, "an ordered consumer holds one message at a time", amqp["prefetch"]);
}

function checkSqs(sqs: Record<string, unknown>, place: string, report: Report): void {
  checkKeys(sqs, sqsKeys, place, report);
  const { queue, topics, competing } = sqs;
  if (queue === undefined && (!Array.isArray(topics) || topics.length === 0))
    report(place, "expected a queue, or topics to subscribe one of our own to");
  if (queue !== undefined && competing === false)
    report(
      `${place}.competing`,
      "a queue with a name is shared by all workers: leave the name out, and each process has a queue of its own",
    );
}

function checkKeys(value: Record<string, unknown>, keys: Readonly<Record<string, Check>>, place: string, report: Report): void {
  for (const [key, found] of Object.entries(value)) {
    const check = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (check === undefined) report(`${place}.${key}`, `unknown key${didYouMean(key, Object.keys(keys))}`);
    else if (found !== undefined) {
      const expected = check(found);
      if (expected !== undefined) report(`${place}.${key}`, `expected ${expected}`, found);
    }
  }
}

function checkUnique({ name, source }: ConsumerDefinition, others: readonly ConsumerDefinition[], place: string, report: Report): void {
  if (others.some((other) => other.name === name)) report(`${place}.name`, "another consumer has this name", name);
  const same = others.find((other) => other.source.system === source.system && other.source.queue === source.queue);
  if (same !== undefined)
    report(place, `its queue is that of the consumer "${same.name}", so that each would get a part of the messages`, source.queue);
}

/** AMQP's names are of 255 bytes at most (AMQP 0-9-1, section 4.2.5.3, short strings). */
const longestNameBytes = 255;
/** What is put behind a queue's name: `.dead`, `.retry.MILLISECONDS`, `.redelivered.MILLISECONDS`. */
const longestEndingBytes = 25;

function checkLengths({ source }: ConsumerDefinition, place: string, report: Report): void {
  if (source.system !== "rabbitmq") return;
  const check = (key: string, name: string, longest: number, why: string): void => {
    if (Buffer.byteLength(name) > longest) report(`${place}.amqp.${key}`, `expected at most ${longest} bytes${why}`, name);
  };
  check("queue", source.queue, longestNameBytes - longestEndingBytes, ", with its prefix, so that those for its retries have a name");
  check("exchange", source.exchange, longestNameBytes, "");
  for (const binding of source.bindings) check("routingKeys", binding, longestNameBytes, " for a key, with its prefix");
}

function makeDefinition(consumer: ConsumerOptions, settings: QueueSettings, processId: string): ConsumerDefinition {
  const { name, amqp, sqs, parse = json, retry = {} } = consumer;
  const isOrdered = amqp?.ordered === true;
  const concurrency = isOrdered ? 1 : (consumer.concurrency ?? settings.maxConcurrency);
  const source =
    amqp === undefined
      ? sqsSource(name, sqs ?? {}, settings.sqs, processId)
      : amqpSource(name, amqp, settings.amqp, concurrency, processId);
  const held = source.system === "rabbitmq" ? source.prefetch : 2 * concurrency;
  return {
    name,
    source,
    concurrency,
    isOrdered,
    retry: retryPolicy(retry, settings.retry),
    messageTimeoutMs: settings.messageTimeoutMs,
    maxMessageBytes: settings.maxMessageBytes,
    keepsDeadLetters: settings.keepsDeadLetters,
    rememberedIds: 10 * held,
    parse: parse as Parse,
    handle: (message, context) => consumer.handle(message, context),
  };
}

function retryPolicy({ limit, delays }: NonNullable<ConsumerOptions["retry"]>, usual: RetryPolicy): RetryPolicy {
  return { limit: limit ?? usual.limit, delaysMs: delays?.map(millisecondsOf) ?? usual.delaysMs };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // A bigint, or an object that holds itself.
    return inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY });
  }
}
