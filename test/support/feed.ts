import type { ChannelModel, ConfirmChannel } from "amqplib";
import type { Rabbitmq } from "./rabbitmq.ts";

/** Puts numbered messages into a queue, for as long as it is let, broker or no broker. */
export interface Feed {
  /** How many the broker has confirmed by now. */
  readonly confirmed: number;
  /** Those that may be in the queue more than once: what was not confirmed is sent again. */
  readonly sentAgain: ReadonlySet<number>;
  /** Resolves when all that were sent are confirmed. */
  stop(): Promise<void>;
}

const batch = 20;

/** @param perSecond about so many; each has the queue's name and its number as its id, unless they are to have none */
export function feed(broker: Rabbitmq, queue: string, perSecond: number, { withIds = true }: { readonly withIds?: boolean } = {}): Feed {
  let confirmed = 0;
  const sentAgain = new Set<number>();
  const stopping = new AbortController();
  const running = (async () => {
    let model: ChannelModel | undefined;
    let channel: ConfirmChannel | undefined;
    while (!stopping.signal.aborted) {
      const begun = performance.now();
      try {
        if (channel === undefined) {
          model = await broker.connect();
          model.on("error", () => undefined);
          const opened = await model.createConfirmChannel();
          opened.on("error", () => undefined);
          opened.on("close", () => (channel = undefined));
          channel = opened;
        }
        for (let n = confirmed; n < confirmed + batch; n += 1)
          channel.sendToQueue(queue, Buffer.from(JSON.stringify({ n })), {
            persistent: true,
            ...(withIds ? { messageId: `${queue}-${n}` } : {}),
            timestamp: Math.floor(Date.now() / 1000),
          });
        await Promise.race([
          channel.waitForConfirms(),
          new Promise((_, reject) => setTimeout(() => reject(new Error("no confirmation")), 20_000).unref()),
        ]);
        confirmed += batch;
      } catch {
        for (let n = confirmed; n < confirmed + batch; n += 1) sentAgain.add(n);
        channel = undefined;
        await model?.close().catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, (1000 * batch) / perSecond - (performance.now() - begun))));
    }
    await model?.close().catch(() => undefined);
  })();
  return {
    get confirmed() {
      return confirmed;
    },
    sentAgain,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
