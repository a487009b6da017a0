import { createHash } from "node:crypto";
import type { AmqpConsumerOptions } from "../consumer-options.ts";
import type { AmqpSource } from "../consumer-definition.ts";
import type { AmqpSettings } from "./settings.ts";

/** Characters that tomodachi encodes in routing keys: all but these. */
const odd = /[^a-zA-Z0-9_*#,;.:<>!"%&/()[\]{}\\=?'^`~+|@$ -]/gu;

/** A routing key as it is bound and published: odd characters as `___` and the hex of their bytes. */
export function encodeRoutingKey(key: string): string {
  return key.replace(odd, (character) => `___${Buffer.from(character).toString("hex")}_`);
}

/**
 * Where an AMQP consumer's messages come from.
 *
 * @param options checked
 * @param processId tells the queues of processes apart that share none
 */
export function amqpSource(
  name: string,
  options: AmqpConsumerOptions,
  settings: AmqpSettings,
  concurrency: number,
  processId: string,
): AmqpSource {
  const { routingKeys = [], exchange = settings.exchange, competing = true, ordered = false, prefetch } = options;
  const encoded = routingKeys.map(encodeRoutingKey);
  const made = competing ? encoded.join(",") : `${encoded.join(",")}${name}${processId}`;
  const queue = options.queue ?? createHash("sha256").update(made).digest("hex");
  return {
    system: "rabbitmq",
    queue: settings.queueNamePrefix + queue,
    bindings: routingKeys.map((key) => encodeRoutingKey(settings.routingKeyPrefix + key)),
    exchange,
    isCompeting: competing,
    prefetch: ordered ? 1 : (prefetch ?? settings.prefetch ?? 2 * concurrency),
    arguments: { ...(ordered ? { "x-single-active-consumer": true } : {}), ...options.arguments },
  };
}

/** For `tsserve routes`: `order.* → orders`. */
export function amqpRoute({ queue, bindings }: AmqpSource): string {
  return bindings.length === 0 ? queue : `${bindings.join(", ")} → ${queue}`;
}
