import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeTemporaryFolder, until, type TemporaryFolder } from "@tsserve/testing";
import type { ChannelModel } from "amqplib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { amqpProxy, cancelOkMethod } from "./support/amqp-proxy.ts";
import { consumersOf, type Consume } from "./support/consume.ts";
import { done } from "./support/journal.ts";
import { fill, noRabbitmq, sendTo, startRabbitmq, toldOf, type Rabbitmq } from "./support/rabbitmq.ts";

if (noRabbitmq !== undefined) console.log(`queue-handover.long.test.ts ${noRabbitmq}`);

/** RabbitMQ accounts for a channel's deliveries in portions of so many: between two of them, a queue may know nothing of the channel. */
const portion = 50;

describe.skipIf(noRabbitmq !== undefined).each(["classic", "quorum"])(
  "RabbitMQ, from one ordered consumer to the next, %s queues",
  (type) => {
    let broker: Rabbitmq;
    let model: ChannelModel;
    let folder: TemporaryFolder;
    let consume: Consume;

    beforeAll(async () => {
      broker = await startRabbitmq();
      model = await broker.connectLoosely();
      folder = makeTemporaryFolder({});
      consume = consumersOf(broker, folder.path, { "amqp.queue_type": type });
    });

    afterAll(async () => {
      await model?.close().catch(() => undefined);
      await broker?.[Symbol.asyncDispose]();
      folder?.remove();
    });

    test.each([
      ["nothing is published meanwhile", portion, false],
      ["nothing is published meanwhile, after one more", portion + 1, false],
      ["a message is published between the cancel and its confirmation", portion, true],
      ["a message is published between the cancel and its confirmation, after the first", 1, true],
    ])("the next one goes on in order, at once, with nothing flagged as redelivered: %s", async (_, count, publishes) => {
      await using proxy = await amqpProxy(broker.port);
      await using first = consume({ server: { "amqp.port": String(proxy.port) } }, { ordered: "true" });
      const { queue } = first;
      await first.listening();
      await fill(model, queue, count - 1);
      await until("the first ones to be handled", () => done(first.runs()).length === count - 1);
      await using second = consume({}, { ordered: "true", queue });
      await second.listening();
      await sendTo(model, queue, { n: count - 1, act: "untilTold" });
      await until("the last one of the first to run", () => first.runs().at(-1)?.n === count - 1);
      await fill(model, queue, 5, { from: count });
      const total = publishes ? count + 6 : count + 5;
      if (publishes) proxy.holdBack(cancelOkMethod, () => fill(model, queue, 1, { from: count + 5 }));
      first.kill();
      writeFileSync(join(folder.path, `${queue}.jsonl.go`), "");
      expect((await first.exited()).code).toBe(0);
      const handling = until("all to be handled", () => done(second.runs()).length >= total, {
        timeoutMs: 30_000,
        describe: () => second.stdout().slice(-3000),
      });
      await toldOf(broker, queue, handling);
      // Both write into one journal.
      expect(done(second.runs())).toEqual(Array.from({ length: total }, (_each, n) => n));
      expect(second.runs().filter(({ redelivered }) => redelivered)).toEqual([]);
      expect(second.logs().filter(({ level }) => level !== "info")).toEqual([]);
    });

    test("a message that waits for its retry when the stop comes runs no more there, and is the first of the next one", async () => {
      await using first = consume({ server: { retry_delay: "1 hour" } }, { ordered: "true" });
      const { queue } = first;
      await first.listening();
      await sendTo(model, queue, { n: 0, act: "throwOnce" });
      await fill(model, queue, 3, { from: 1 });
      await until("the retry to be waited for", () => first.logs().some(({ msg }) => /retry 1 of/.test(msg)));
      await using second = consume({}, { ordered: "true", queue });
      await second.listening();
      first.kill();
      expect((await first.exited()).code).toBe(0);
      const begun = (): number[] => second.runs().flatMap(({ what, n }) => (what === "begun" ? [n] : []));
      await until("the others to be handled", () => begun().length >= 5, { timeoutMs: 30_000, describe: second.stdout });
      // A quorum queue counts that it came back, a classic one does not: there it fails once more, and waits for its retry.
      expect(begun().slice(0, 2)).toEqual([0, 0]);
      await until("all to be handled", () => done(second.runs()).length === 4, { timeoutMs: 60_000, describe: second.stdout });
      expect(done(second.runs())).toEqual([0, 1, 2, 3]);
    });
  },
);
