import { RejectMessage, type ConsumerOptions, type QueueApp } from "tsserve/queue";
import type { AppConfig } from "tsserve";

interface Order {
  readonly id: number;
  readonly item: string;
}

/** Consumes orders: `order.*` of the exchange `amq.topic`, from the queue `orders`. */
export function makeApp(config: AppConfig): QueueApp {
  const orders: ConsumerOptions<Order> = {
    name: "orders",
    amqp: { queue: "orders", routingKeys: ["order.*"] },
    // When this promise resolves, the message is acknowledged; when it rejects, the message comes back later.
    async handle({ body, routingKey }, { log }) {
      if (body.item === "") throw new RejectMessage("an order of nothing");
      log.info({ order: body.id, routing_key: routingKey }, `${config["greeting"]}: ${body.item}`);
    },
  };
  return { consumers: [orders] };
}
