import type { Broker, ConsumerDefinition, Delivery, Failure, Sink, Subscription } from "@tsserve/queue/testing";
import type { ComplianceTest } from "./compliance.ts";
import { until } from "./until.ts";

/** What a broker of the queue consumers must be told of to be tested: how messages get in, and how many there are. */
export interface BrokerSubject {
  /** A new one for each test. */
  makeBroker(): Broker;
  /** A consumer of a queue that nobody else has. */
  makeConsumer(): ConsumerDefinition;
  /** Puts a message into the queue of a consumer that has subscribed. */
  publish(consumer: ConsumerDefinition, body: string, headers: Readonly<Record<string, string>>): Promise<void>;
  /** How many messages wait in its queue for anybody. */
  waiting(consumer: ConsumerDefinition): Promise<number>;
  /** How many are among its dead letters. */
  dead(consumer: ConsumerDefinition): Promise<number>;
}

const failure: Failure = { error: new Error("for a test"), failures: 1, retryLimit: 10 };

/**
 * What every broker must do for the consumers' core, as tests for any runner:
 *
 *     for (const { name, run } of brokerComplianceTests(subject)) test(name, run);
 */
export function brokerComplianceTests(subject: BrokerSubject): ComplianceTest[] {
  return [
    {
      name: "delivers a message whole, and once, and forgets it when it is acknowledged",
      run: () =>
        withSubscription(subject, async ({ next, consumer, deliveries }) => {
          await subject.publish(consumer, "hellö", { colour: "red" });
          const delivery = await next();
          check(delivery.bytes.toString() === "hellö", `expected the body, found ${delivery.bytes.toString()}`);
          check(delivery.headers["colour"] === "red", `expected its headers, found ${JSON.stringify(delivery.headers)}`);
          check(!delivery.redelivered && delivery.earlierAttempts === 0, "expected the first attempt");
          check((await delivery.acknowledge()) === true, "expected the broker to hear of the acknowledgement");
          check((await subject.waiting(consumer)) === 0, "expected nothing to be left");
          check(deliveries.length === 1, `expected one delivery, found ${deliveries.length}`);
        }),
    },
    {
      name: "brings a retried message again, after its delay, with the failure counted",
      run: () =>
        withSubscription(subject, async ({ next, consumer }) => {
          await subject.publish(consumer, "again", {});
          const begun = performance.now();
          await (await next()).retry(1000, failure);
          const again = await next();
          check(performance.now() - begun >= 990, "expected it not to come before its delay");
          check(again.bytes.toString() === "again", "expected the same body");
          check(again.failures === 1, `expected one failure, found ${again.failures}`);
          check(again.earlierAttempts === 1, `expected one earlier attempt, found ${again.earlierAttempts}`);
          await again.acknowledge();
        }),
    },
    {
      name: "keeps a buried message among the dead letters, and nowhere else",
      run: () =>
        withSubscription(subject, async ({ next, consumer }) => {
          await subject.publish(consumer, "dead", {});
          await (await next()).bury("rejected", failure);
          await until("a dead letter", async () => (await subject.dead(consumer)) === 1);
          check((await subject.waiting(consumer)) === 0, "expected nothing to be left");
        }),
    },
    {
      name: "brings what was given back again, and does not count it as a failure of a handler",
      run: () =>
        withSubscription(subject, async ({ next, consumer }) => {
          await subject.publish(consumer, "back", {});
          await (await next()).giveBack();
          const again = await next();
          check(again.bytes.toString() === "back", "expected the same body");
          check(again.redelivered, "expected it to be known as redelivered");
          await again.acknowledge();
        }),
    },
    {
      name: "delivers nothing after a cancel, and what it has delivered can still be settled",
      run: () =>
        withSubscription(subject, async ({ next, consumer, subscription, deliveries }) => {
          await subject.publish(consumer, "one", {});
          const delivery = await next();
          await subscription.cancel();
          const { length } = deliveries;
          await subject.publish(consumer, "two", {});
          check((await delivery.acknowledge()) === true, "expected the broker to hear of the acknowledgement");
          await until("the second to wait", async () => (await subject.waiting(consumer)) === 1);
          check(deliveries.length === length, "expected no delivery after the cancel");
        }),
    },
    {
      name: "gives back what was not settled when it closes",
      run: () =>
        withSubscription(subject, async ({ next, consumer, subscription }) => {
          await subject.publish(consumer, "one", {});
          await next();
          await subscription.cancel();
          await subscription.close();
          await until("the message to wait again", async () => (await subject.waiting(consumer)) === 1);
        }),
    },
  ];
}

interface Subscribed {
  readonly consumer: ConsumerDefinition;
  readonly subscription: Subscription;
  readonly deliveries: readonly Delivery[];
  /** The next delivery that the test has not seen. */
  next(): Promise<Delivery>;
}

async function withSubscription(subject: BrokerSubject, use: (subscribed: Subscribed) => Promise<void>): Promise<void> {
  const broker = subject.makeBroker();
  const consumer = subject.makeConsumer();
  const deliveries: Delivery[] = [];
  let seen = 0;
  const ignored = (): void => undefined;
  const sink: Sink = {
    deliver: (delivery) => void deliveries.push(delivery),
    unheard: ignored,
    subscribed: ignored,
    unsubscribed: ignored,
  };
  await broker.prepare(consumer.name);
  const subscription = broker.subscribe(consumer, sink);
  try {
    await subscription.first;
    const next = (): Promise<Delivery> =>
      until("a delivery", () => {
        const delivery = deliveries[seen];
        if (delivery !== undefined) seen += 1;
        return delivery;
      });
    await use({ consumer, subscription, deliveries, next });
  } finally {
    await subscription.cancel();
    await subscription.close();
    await broker.close();
  }
}

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
