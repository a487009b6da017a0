import type { Listener } from "@tsserve/listener";
import { systemClock, timerMs, type Route, type Server, type ServerConfig, type ServerContext } from "@tsserve/server";
import { AmqpBroker } from "./amqp/broker.ts";
import { BaseplateMetrics } from "./amqp/baseplate-metrics.ts";
import { amqpRoute } from "./amqp/source.ts";
import type { Broker } from "./broker.ts";
import { Consumer, type ConsumerParts } from "./consumer.ts";
import type { ConsumerDefinition } from "./consumer-definition.ts";
import { HealthServer } from "./health-server.ts";
import { QueueHealth } from "./queue-health.ts";
import { QueueMetrics } from "./queue-metrics.ts";
import { readConsumers } from "./read-consumers.ts";
import { settlable } from "./settlable.ts";
import { queueSettings, type QueueSettings } from "./settings.ts";
import { Slots } from "./slots.ts";
import { SqsBroker } from "./sqs/broker.ts";
import { sqsRoute } from "./sqs/source.ts";
import { firstSubscriptions, type NamedSubscription } from "./start-subscriptions.ts";

const lookIntervalMs = 1000;

/**
 * The queue server factory: `{ consumers: […] }` of RabbitMQ and SQS. Connects to nothing until `start`, which resolves
 * when every consumer has its subscription. The listeners serve `/health`.
 *
 * @throws {ConfigurationError} on a bad setting, and with everything that is wrong with the consumers
 */
export function makeServer(config: ServerConfig, listeners: readonly Listener[], app: unknown, context: ServerContext): Server {
  const settings = queueSettings(config, context.folder);
  const definitions = readConsumers(app, settings);
  const log = context.logger("tsserve.queue");
  warnOf(settings, definitions, log);
  const ended = settlable();
  const brokers = makeBrokers(settings, log);
  const healthServer = new HealthServer(listeners, context.health);
  let consumers: readonly Consumer[] = [];
  let subscriptions: readonly NamedSubscription[] = [];
  const health = new QueueHealth(() => subscriptions.map(({ subscription }) => subscription.state), systemClock);
  context.health.addOwn("the health check of the consumers", health.check);
  let looking: NodeJS.Timeout | undefined;
  let cancelling: Promise<unknown> | undefined;

  /** From here on nothing new is taken: a message that is left to others is not lost. */
  const cancel = (): Promise<unknown> => {
    for (const consumer of consumers) consumer.drain();
    cancelling ??= Promise.all(subscriptions.map(({ subscription }) => subscription.cancel()));
    return cancelling;
  };
  const close = async (): Promise<void> => {
    clearInterval(looking);
    await Promise.all(subscriptions.map(({ subscription }) => subscription.close()));
    await Promise.all(Object.values(brokers).map((broker) => broker.close()));
    healthServer.stop();
  };

  return {
    ended: ended.promise,
    start: async () => {
      try {
        for (const { source, name } of definitions) await brokers[source.system].prepare(name);
        // While the broker answers.
        consumers = makeConsumers(definitions, settings, context, (error) => ended.reject(error));
        // Nothing is taken before probes can be answered.
        await healthServer.start();
        subscriptions = consumers.map((consumer) => {
          const subscription = brokers[consumer.definition.source.system].subscribe(consumer.definition, consumer);
          return { consumer: consumer.definition.name, subscription, lastError: () => consumer.lastError };
        });
        looking = setInterval(() => health.look(), lookIntervalMs);
        looking.unref();
        await firstSubscriptions(subscriptions, settings.startTimeoutMs);
        health.look();
      } catch (error) {
        await close();
        throw error;
      }
    },
    drain: () => void cancel(),
    stop: async (deadline) => {
      const returnAt = beforeDeadline(deadline, settings.stopTimeoutMs);
      // A subscription in order is cancelled when the message that runs has ended, for which its signal may have to abort.
      await Promise.race([cancel(), aborted(returnAt)]);
      const cuts = await Promise.all(consumers.map((consumer) => consumer.stop(returnAt, deadline)));
      await Promise.race([cancel(), aborted(deadline)]);
      await close();
      return { cut: cuts.reduce((sum, cut) => sum + cut, 0) };
    },
    stats: () => ({ openConnections: 0, activeRequests: context.requests.size }),
    addresses: () => healthServer.addresses(),
    routes: () => Promise.resolve(definitions.map(routeOf)),
  };
}

function makeBrokers(settings: QueueSettings, log: ServerContext["log"]): Readonly<Record<"rabbitmq" | "aws_sqs", Broker>> {
  return { rabbitmq: new AmqpBroker(settings.amqp, log), aws_sqs: new SqsBroker(settings.sqs, log) };
}

function makeConsumers(
  definitions: readonly ConsumerDefinition[],
  settings: QueueSettings,
  context: ServerContext,
  onFatal: (error: Error) => void,
): Consumer[] {
  const { meter, requests, tracing } = context;
  const parts: ConsumerParts = {
    slots: new Slots(settings.maxConcurrency),
    requests,
    tracing,
    log: context.logger("tsserve.queue"),
    appLog: context.logger("app"),
    metricsOf: (consumer) => {
      if (meter === undefined) return undefined;
      const { source } = consumer.definition;
      const isWanted = settings.hasBaseplateNames && source.system === "rabbitmq";
      const baseplate = isWanted ? new BaseplateMetrics(meter, source, settings.amqp, () => consumer.active) : undefined;
      return new QueueMetrics(meter, consumer.definition, () => consumer, baseplate);
    },
    onFatal,
  };
  return definitions.map((definition) => new Consumer(definition, parts));
}

function routeOf({ source }: ConsumerDefinition): Route {
  return source.system === "rabbitmq" ? { method: "AMQP", path: amqpRoute(source) } : { method: "SQS", path: sqsRoute(source) };
}

function warnOf({ keepsDeadLetters, amqp }: QueueSettings, definitions: readonly ConsumerDefinition[], log: ServerContext["log"]): void {
  if (!keepsDeadLetters) log.warn("dead_letter is false: messages that can't be handled are thrown away");
  const isShared = definitions.some(({ source }) => source.system === "rabbitmq" && source.isCompeting);
  if (amqp.queueTtlMs !== undefined && isShared)
    log.warn("amqp.queue_ttl holds for shared queues, too: without a consumer for so long, one is deleted with its messages");
}

/** Aborts a tenth of the time before the deadline, at least a second: enough for what has not begun to go back. */
function beforeDeadline(deadline: AbortSignal, stopTimeoutMs: number): AbortSignal {
  const margin = Math.min(Math.max(stopTimeoutMs / 10, 1000), stopTimeoutMs / 2);
  return AbortSignal.any([deadline, AbortSignal.timeout(timerMs(Math.max(0, Math.round(stopTimeoutMs - margin))))]);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
