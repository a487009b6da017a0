import { join } from "node:path";
import { readJournal, type Run } from "./journal.ts";
import type { Rabbitmq } from "./rabbitmq.ts";
import { serve, type ServeOptions, type Served } from "./serve.ts";

/** A served consumer, with the queue that it consumes from and what its handler has written down. */
export interface Consumed extends Served {
  readonly queue: string;
  runs(): Run[];
}

/** Serves a consumer of the fixtures; `own` are keys of its `[app:main]`. Without a `queue` it has one that nobody else has. */
export type Consume = (options?: ServeOptions, own?: Readonly<Record<string, string>>) => Consumed;

/**
 * Makes consumers of one broker.
 *
 * @param folder where their journals lie
 * @param usual keys of `[server:main]` that they have in common
 */
export function consumersOf(broker: Rabbitmq, folder: string, usual: Readonly<Record<string, string>> = {}): Consume {
  let lastQueue = 0;
  return (options = {}, own = {}) => {
    const queue = own["queue"] ?? `q${(lastQueue += 1)}`;
    const journal = join(folder, `${queue.split(",")[0]}.jsonl`);
    const server = { factory: "tsserve/queue", "metrics.enabled": "false", ...usual, ...broker.settings, ...options.server };
    const served = serve({ ...options, app: "consumer.mjs", server, config: { ...own, queue, journal } });
    return Object.assign(served, { queue, runs: () => readJournal(journal) });
  };
}
