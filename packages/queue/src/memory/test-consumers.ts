import { ActiveRequests } from "@tsserve/server";
import { didYouMean } from "@tsserve/config";
import type { Logger } from "pino";
import { Consumer, type ConsumerParts } from "../consumer.ts";
import type { QueueApp } from "../consumer-options.ts";
import { readConsumers } from "../read-consumers.ts";
import { queueSettings } from "../settings.ts";
import { Slots } from "../slots.ts";
import { MemoryBroker } from "./broker.ts";
import type { Fate, TestMessage } from "./delivery.ts";

export interface TestConsumersOptions {
  /** Options of the `[server:…]` section, such as `retry_limit`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Default: one that says nothing. */
  readonly log?: Logger;
}

/** Consumers without a broker. */
export interface TestConsumers {
  /**
   * Hands a message to a consumer, and waits for what becomes of it. A retry is told, not waited for.
   *
   * @param consumer its name
   */
  deliver(consumer: string, message: TestMessage): Promise<Fate>;
  /** As a stop of the server does: what runs is finished, within `timeoutMs` (default 1000). @returns how many runs were cut */
  stop(timeoutMs?: number): Promise<number>;
  /** The `FatalError` that a handler threw. */
  readonly fatalError: Error | undefined;
}

/**
 * Runs an app's consumers without a broker, for tests: the same parsing, limits, retries and outcomes as on a real one.
 *
 *     const consumers = testConsumers(await makeApp(config, context));
 *     expect(await consumers.deliver("orders", { body: { id: 1 } })).toEqual({ outcome: "acknowledged" });
 *
 * @throws {ConfigurationError} with everything that is wrong with the consumers
 */
export function testConsumers(app: QueueApp, { settings: raw = {}, log = silentLogger() }: TestConsumersOptions = {}): TestConsumers {
  const settings = queueSettings(raw);
  const broker = new MemoryBroker();
  let fatalError: Error | undefined;
  const parts: ConsumerParts = {
    slots: new Slots(settings.maxConcurrency),
    requests: new ActiveRequests(),
    log,
    appLog: log,
    metricsOf: () => undefined,
    onFatal: (error) => {
      fatalError = error;
      for (const subscription of broker.subscriptions.values()) void subscription.close();
    },
  };
  const consumers = readConsumers(app, settings).map((definition) => new Consumer(definition, parts));
  for (const consumer of consumers) broker.subscribe(consumer.definition, consumer);
  return {
    get fatalError() {
      return fatalError;
    },
    deliver: async (name, message) => {
      const subscription = broker.subscriptions.get(name);
      if (subscription === undefined) throw new Error(`there is no consumer "${name}"${didYouMean(name, broker.subscriptions.keys())}`);
      return subscription.deliver(message);
    },
    stop: async (timeoutMs = 1000) => {
      const deadline = AbortSignal.timeout(timeoutMs);
      for (const subscription of broker.subscriptions.values()) await subscription.cancel();
      const cuts = await Promise.all(consumers.map((consumer) => consumer.stop(deadline, deadline)));
      for (const subscription of broker.subscriptions.values()) await subscription.close();
      return cuts.reduce((sum, cut) => sum + cut, 0);
    },
  };
}

function silentLogger(): Logger {
  const silence = (): void => undefined;
  const logger: unknown = {
    fatal: silence,
    error: silence,
    warn: silence,
    info: silence,
    debug: silence,
    trace: silence,
    child: () => logger,
  };
  return logger as Logger;
}
