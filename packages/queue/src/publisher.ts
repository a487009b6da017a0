import { randomUUID } from "node:crypto";
import { newTraceId, newSpanId, traceScope, type AppContext, type TraceIds, type TraceScope } from "@tsserve/server";
import { AmqpPublisher } from "./amqp/publisher.ts";
import type { AmqpPublishOptions } from "./amqp/publish-options.ts";
import { amqpSettings } from "./amqp/settings.ts";
import { SqsPublisher } from "./sqs/publisher.ts";
import type { SnsPublishOptions, SqsPublishOptions, SqsSendEntry, SqsSendResult } from "./sqs/publish-options.ts";
import { sqsSettings } from "./sqs/settings.ts";
import { outcomeOf, publisherCounter } from "./publisher-metrics.ts";
import { traceHeaders } from "./trace.ts";

/** Sends messages. Data are JSON, but for a `Uint8Array`, which is sent as it is. */
export interface Publish {
  /**
   * To an exchange of RabbitMQ, `amqp.exchange_name` unless `options.exchange` says otherwise. Resolves when the broker has it.
   *
   * @param routingKey `amqp.routing_key_prefix` is put before it; with `exchange: ""` it is the name of a queue
   * @throws {PublishError} `NO_ROUTE` where no queue gets it; `TIMEOUT` and `LOST` where it may have been sent
   */
  amqp(routingKey: string, data: unknown, options?: AmqpPublishOptions): Promise<void>;
  /** To a topic of SNS. @throws {PublishError} */
  sns(topic: string, data: unknown, options?: SnsPublishOptions): Promise<void>;
  /**
   * To a queue of SQS: one message, or a list of `{ data, … }`, in as many batches as it takes. With a list it resolves to what
   * became of each, in its order, and rejects only where nothing could be sent.
   *
   * @throws {PublishError} for one message
   */
  sqs(queue: string, data: readonly SqsSendEntry[]): Promise<SqsSendResult[]>;
  sqs(queue: string, data: unknown, options?: SqsPublishOptions): Promise<void>;
}

export interface Publisher {
  readonly publish: Publish;
  /** Waits for what is on its way, and lets go of the connections. The lifecycle does it: after the server has stopped. */
  close(): Promise<void>;
}

/**
 * Opens a publisher for an app, of whatever kind. It reads the keys of `amqp`, `aws_sns_sqs` and `aws_endpoint_urls` from the
 * app's section. A message continues the trace of the request, or of the message, that it is published in.
 *
 * @throws {ConfigurationError} on a bad key
 * @throws {BrokerError} `library` when keys name a broker whose library is not installed
 */
export async function openPublisher({
  config,
  log,
  onStop,
  metrics,
  folder,
}: Pick<AppContext, "config" | "log" | "onStop"> & Partial<Pick<AppContext, "metrics" | "folder">>): Promise<Publisher> {
  const scope = traceScope();
  scope.want();
  const parts = {
    log: log.child({ logger: "tsserve.queue" }),
    headers: () => traceHeaders(currentTrace(scope)),
    makeId: randomUUID,
  };
  const count = publisherCounter(metrics);
  const counted = async <T>(system: string, destination: string, publishing: Promise<T>): Promise<T> => {
    try {
      const given = await publishing;
      count(system, destination, "sent");
      return given;
    } catch (error) {
      count(system, destination, outcomeOf(error));
      throw error;
    }
  };
  const countEach = (queue: string, results: readonly SqsSendResult[]): SqsSendResult[] => {
    for (const result of results) count("aws_sqs", queue, result.ok ? "sent" : outcomeOf(result.error));
    return [...results];
  };
  const amqpOptions = amqpSettings(config, folder);
  const amqp = new AmqpPublisher(amqpOptions, parts);
  const sqs = new SqsPublisher(sqsSettings(config, folder), parts);
  const names = Object.keys(config);
  if (names.some((name) => name.startsWith("amqp."))) await amqp.prepare();
  if (names.some((name) => name.startsWith("aws_"))) await sqs.prepare();
  const close = async (): Promise<void> => {
    await Promise.all([amqp.close(), sqs.close()]);
  };
  onStop(close);
  const publish: Publish = {
    amqp: (routingKey, data, options) =>
      counted("rabbitmq", options?.exchange ?? amqpOptions.exchange, amqp.publish(routingKey, data, options)),
    sns: (topic, data, options) => counted("aws_sns", topic, sqs.publish(topic, data, options)),
    sqs: (async (queue: string, data: unknown, options?: SqsPublishOptions) =>
      Array.isArray(data) && options === undefined
        ? countEach(queue, await sqs.sendAll(queue, data as SqsSendEntry[]))
        : counted("aws_sqs", queue, sqs.send(queue, data, options))) as Publish["sqs"],
  };
  return { publish, close };
}

/** What the parts of a publisher get from its whole. */
export interface PublisherParts {
  readonly log: AppContext["log"];
  /** Of the trace that the running code belongs to. */
  headers(): Record<string, string>;
  makeId(): string;
}

interface ThriftStore {
  getStore(): { readonly trace: { readonly traceId: string; readonly spanId: string; readonly sampled?: boolean | undefined } } | undefined;
}

function currentTrace(scope: TraceScope): TraceIds {
  const trace = scope.current() ?? thriftTrace() ?? { traceId: newTraceId(), spanId: newSpanId() };
  const { traceId, spanId, state } = trace;
  return w3c({ traceId, spanId, state, sampled: trace.sampled ?? scope.decide?.(trace) });
}

function thriftTrace(): TraceIds | undefined {
  // `@tsserve/thrift` keeps its request there, always: a handler may ask for it.
  return (globalThis as { [key: symbol]: ThriftStore | undefined })[Symbol.for("tsserve.thrift.request")]?.getStore()?.trace;
}

/** Ids of baseplate are numbers of 64 bits, in decimal: they are carried on as what they are in hex. */
function w3c(trace: TraceIds): TraceIds {
  return { ...trace, traceId: hex(trace.traceId, 32) ?? newTraceId(), spanId: hex(trace.spanId, 16) ?? newSpanId() };
}

function hex(id: string, length: number): string | undefined {
  if (id.length === length && /^[0-9a-f]+$/.test(id)) return id;
  return /^\d{1,20}$/.test(id) ? BigInt(id).toString(16).padStart(length, "0") : undefined;
}
