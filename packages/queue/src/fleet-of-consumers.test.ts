import { ActiveRequests } from "@tsserve/server";
import type { Logger } from "pino";
import { describe, expect, test } from "vitest";
import { Consumer } from "./consumer.ts";
import type { DeadReason, Delivery } from "./delivery.ts";
import { readConsumers } from "./read-consumers.ts";
import { queueSettings } from "./settings.ts";
import { Slots } from "./slots.ts";
import { randomOf } from "../../../test/support/random-of.ts";

/** What lies in the queue. */
interface Stored {
  readonly body: string;
  readonly id: string | undefined;
  readonly failures: number;
  /** By copies, and by the broker itself where it is a quorum queue. */
  readonly redeliveries: number;
  readonly flagged: boolean;
}

interface Run {
  readonly body: string;
  end(isWell: boolean): void;
}

/** A queue in memory, which hands out what lies in it as RabbitMQ does: what a lost connection held comes back to where it was. */
class Queue {
  ready: Stored[] = [];
  readonly dead: { readonly body: string; readonly reason: DeadReason }[] = [];
  /** How often a run has ended well, by its body. */
  readonly handled = new Map<string, number>();
  readonly counts: boolean;

  constructor(counts: boolean) {
    this.counts = counts;
  }
}

/** One process with a consumer, whose connection is lost and had again. */
class Worker {
  readonly runs: Run[] = [];
  readonly #queue: Queue;
  readonly #consumer: Consumer;
  #channel = { isOpen: false };
  #isResumed = false;
  #unacknowledged = new Map<Delivery, Stored>();
  /** Acknowledged, but not written to the socket yet. */
  #leaving = new Set<Delivery>();

  constructor(queue: Queue) {
    this.#queue = queue;
    const handle = ({ bytes }: { readonly bytes: Buffer }): Promise<void> =>
      new Promise((resolve, reject) => {
        const body = bytes.toString();
        const end = (isWell: boolean): void => {
          this.runs.splice(this.runs.indexOf(run), 1);
          if (isWell) queue.handled.set(body, (queue.handled.get(body) ?? 0) + 1);
          if (isWell) resolve();
          else reject(new Error("no luck"));
        };
        const run = { body, end };
        this.runs.push(run);
      });
    const consumers = [{ name: "c", amqp: { queue: "q" }, concurrency: 4, parse: () => undefined, handle }];
    const [definition] = readConsumers({ consumers }, queueSettings({ retry_delay: "0", retry_limit: "6" }));
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined, child: () => log } as unknown as Logger;
    const parts = { slots: new Slots(4), requests: new ActiveRequests(), log, appLog: log, metricsOf: () => undefined };
    this.#consumer = new Consumer(definition ?? expect.fail(), { ...parts, onFatal: () => undefined });
  }

  get isSubscribed(): boolean {
    return this.#channel.isOpen;
  }

  get holds(): number {
    return this.#unacknowledged.size;
  }

  subscribe(): void {
    this.#channel = { isOpen: true };
    this.#consumer.subscribed();
  }

  /** Takes what it may hold. */
  fetch(): void {
    while (this.isSubscribed && this.#unacknowledged.size < 8) {
      const stored = this.#queue.ready.shift();
      if (stored === undefined) return;
      const delivery = this.#deliveryOf(stored);
      this.#unacknowledged.set(delivery, stored);
      this.#consumer.deliver(delivery);
    }
  }

  /** What was acknowledged reaches the broker. */
  flush(): void {
    for (const delivery of this.#leaving) this.#unacknowledged.delete(delivery);
    this.#leaving.clear();
  }

  lose(): void {
    if (!this.isSubscribed) return;
    this.#channel.isOpen = false;
    this.#isResumed = true;
    const { counts } = this.#queue;
    const back = [...this.#unacknowledged.values()].map((each) => ({
      ...each,
      flagged: true,
      redeliveries: each.redeliveries + (counts ? 1 : 0),
    }));
    this.#queue.ready.unshift(...back);
    this.#unacknowledged = new Map();
    for (const delivery of this.#leaving) this.#consumer.unheard(delivery);
    this.#leaving = new Set();
    this.#consumer.unsubscribed("connection_lost", new Error("the connection was lost"));
  }

  #deliveryOf(stored: Stored): Delivery {
    const channel = this.#channel;
    const isSuspected = stored.flagged && !this.#isResumed;
    const copy = async (own: Partial<Stored>): Promise<void> => {
      await Promise.resolve();
      this.#queue.ready.push({ ...stored, flagged: false, ...own });
      acknowledge();
    };
    const acknowledge = (): boolean => {
      if (channel.isOpen) this.#leaving.add(delivery);
      else this.#consumer.unheard(delivery);
      return channel.isOpen;
    };
    const delivery: Delivery = {
      id: stored.id,
      bytes: Buffer.from(stored.body),
      headers: {},
      contentType: undefined,
      routingKey: "k",
      topic: undefined,
      sentAt: undefined,
      receivedAt: 0,
      raw: stored,
      redelivered: stored.flagged || stored.redeliveries > 0,
      failures: stored.failures,
      redeliveries: stored.redeliveries,
      isSuspect: isSuspected || stored.redeliveries > 0,
      isUnexplained: isSuspected,
      earlierAttempts: stored.failures + stored.redeliveries,
      retryLimit: undefined,
      expiresAt: undefined,
      group: undefined,
      isCopiedForRetry: true,
      get isStale() {
        return !channel.isOpen;
      },
      acknowledge,
      giveBack: () => undefined,
      fail: () => undefined,
      retry: (_, { failures }) => copy({ failures, redeliveries: 0 }),
      bury: async (reason) => {
        await Promise.resolve();
        this.#queue.dead.push({ body: stored.body, reason });
        acknowledge();
      },
      recount: () => copy({ redeliveries: this.#queue.counts ? Math.max(1, stored.redeliveries) : stored.redeliveries + 1 }),
    };
    return delivery;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Fleet {
  readonly queue: Queue;
  readonly workers: readonly Worker[];
  readonly random: () => number;
}

/** @param bodies what is published; of one body there may be several, which nobody can tell from one another without an id */
function fleetOf(seed: number, hasIds: boolean, counts: boolean, bodies: readonly string[]): Fleet {
  const random = randomOf(seed);
  const queue = new Queue(counts);
  queue.ready = bodies.map((body, n) => ({ body, id: hasIds ? `m${n}` : undefined, failures: 0, redeliveries: 0, flagged: false }));
  return { queue, workers: Array.from({ length: 1 + Math.floor(random() * 3) }, () => new Worker(queue)), random };
}

async function untilEmpty({ queue, workers }: Fleet, step: () => void): Promise<void> {
  for (let steps = 0; queue.ready.length > 0 || workers.some(({ holds, runs }) => holds + runs.length > 0); steps += 1) {
    if (steps > 20_000) expect.fail(`it does not end: ${JSON.stringify(queue.ready.slice(0, 5))}`);
    step();
    await turn();
  }
}

const kinds = [true, false].flatMap((hasIds) => [true, false].map((counts) => ({ hasIds, counts })));

describe.each(kinds)("a fleet of consumers, ids: $hasIds, a broker that counts returns: $counts", ({ hasIds, counts }) => {
  test.each(Array.from({ length: 25 }, (_, seed) => seed))(
    "loses nothing, whatever connection is lost whenever (seed %i)",
    async (seed) => {
      const bodies = Array.from({ length: 40 }, (_, n) => `body ${n % 13}`);
      const fleet = fleetOf(seed, hasIds, counts, bodies);
      const { queue, workers, random } = fleet;
      let losses = 0;
      await untilEmpty(fleet, () => {
        for (const worker of workers) {
          if (!worker.isSubscribed && random() < 0.3) worker.subscribe();
          if (random() < 0.8) worker.fetch();
          for (const run of worker.runs.filter(() => random() < 0.3)) run.end(random() < 0.9);
          if (random() < 0.5) worker.flush();
          if (losses < 30 && random() < 0.05) {
            losses += 1;
            worker.lose();
          }
        }
      });
      for (const body of new Set(bodies)) {
        const published = bodies.filter((each) => each === body).length;
        const dead = queue.dead.filter((each) => each.body === body).length;
        expect((queue.handled.get(body) ?? 0) + dead, body).toBeGreaterThanOrEqual(published);
      }
    },
  );

  test.each(Array.from({ length: 10 }, (_, seed) => seed))(
    "gets rid of one that ends each connection by which it comes (seed %i)",
    async (seed) => {
      const bodies = ["poison", ...Array.from({ length: 20 }, (_, n) => `body ${n}`)];
      const fleet = fleetOf(seed, hasIds, counts, bodies);
      const { queue, workers, random } = fleet;
      // Its runs end when everything is lost; half of the seeds have one that never ends well.
      const mayEndWell = seed % 2 === 0;
      let poisoned = 0;
      await untilEmpty(fleet, () => {
        for (const worker of workers) {
          if (!worker.isSubscribed) worker.subscribe();
          worker.fetch();
          const poison = worker.runs.find(({ body }) => body === "poison");
          if (poison !== undefined) {
            poisoned += 1;
            worker.lose();
            poison.end(mayEndWell && random() < 0.1);
            continue;
          }
          while (worker.runs.length > 0) worker.runs[0]?.end(true);
          worker.flush();
        }
      });
      expect(poisoned).toBeLessThanOrEqual(8 * 7);
      expect((queue.handled.get("poison") ?? 0) + queue.dead.filter(({ body }) => body === "poison").length).toBeGreaterThanOrEqual(1);
      for (const body of bodies.slice(1)) expect(queue.handled.get(body) ?? 0, body).toBeGreaterThanOrEqual(1);
    },
  );
});
