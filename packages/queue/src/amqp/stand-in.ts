import type { Channel, ChannelModel } from "amqplib";

/** The first version whose classic queues hand over by themselves when a consumer is cancelled. */
const handsOverSince = 4;
/** Above what anybody gives a consumer: among those that wait, it comes first. */
const priority = 1_000_000;

/**
 * Whether a consumer of a queue with a single active consumer may only be cancelled while a stand-in takes its place.
 *
 * Before 4.0, a classic queue that is told to cancel its active consumer makes another one active, and hands it nothing: what is ready waits
 * for the next event of the queue (`basic_cancel` in rabbit_amqqueue_process.erl; 4.0 has `stop_consumer`, which goes on to deliver). Should
 * the cancelled consumer's channel close, that is such an event only while the queue's record of the channel is there, which goes with
 * the last acknowledgement after each fiftieth delivery (rabbit_queue_consumers.erl, `update_ch_record`). Should a message be published
 * first, that one is delivered before all that are ready; before 3.9.27, 3.10.13 and 3.11.5 the queue crashes of it.
 */
export function needsStandIn({ connection }: ChannelModel): boolean {
  const { product, version } = connection.serverProperties;
  return product === "RabbitMQ" && Number.parseInt(version, 10) < handsOverSince;
}

/**
 * Adds a consumer that is handed nothing and is the next to be active, to the channel of the one that is about to be cancelled. While it
 * is active, the queue delivers to nobody; when the channel closes, the queue makes the next consumer active and delivers, in one step.
 */
export async function addStandIn(channel: Channel, queue: string, consumerTag: string): Promise<void> {
  // Flow control as RabbitMQ's own AMQP 1.0 has it, until 4.0 (`parse_credit_args`): the types of AMQP matter. A broker that does not know
  // it delivers a message, which goes back when the channel closes.
  const noCredit = { credit: { "!": "long", value: 0 }, drain: false };
  await channel.consume(queue, () => undefined, { consumerTag, arguments: { "x-priority": priority, "x-credit": noCredit } });
}
