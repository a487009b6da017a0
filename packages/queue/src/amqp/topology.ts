import type { Channel, ChannelModel } from "amqplib";
import type { Logger } from "pino";
import type { AmqpSource } from "../consumer-definition.ts";
import { BrokerError } from "../outcome-errors.ts";
import { within } from "../within.ts";
import { explainChannelError } from "./explain-error.ts";
import type { AmqpSettings } from "./settings.ts";

const dayMs = 86_400_000;

/**
 * Sees to it that a consumer's queue, exchange and bindings are there. What exists is left as it is: declared again with
 * other arguments, a queue would close the channel, and a changed INI file would keep the service from starting.
 */
export async function declareSource(model: ChannelModel, source: AmqpSource, settings: AmqpSettings, log: Logger): Promise<void> {
  const { queue, exchange, bindings } = source;
  const rpcTimeoutMs = settings.connectTimeoutMs;
  const isThere = await queueExists(model, queue, rpcTimeoutMs);
  if (!settings.declares) {
    if (!isThere) throw new BrokerError("topology", `the queue "${queue}" does not exist, and amqp.declare is off`, { isPermanent: true });
    return;
  }
  if (!isThere) {
    const options = { durable: true, arguments: queueArguments(source, settings) };
    await onChannel(model, `declaring the queue "${queue}"`, rpcTimeoutMs, (channel) => channel.assertQueue(queue, options));
    log.info({ queue, arguments: options.arguments }, `the queue ${queue} was not there: it is declared`);
  } else if (source.arguments["x-single-active-consumer"] === true && !(await isAsDeclared(model, source, settings)))
    log.warn(
      { queue },
      `the queue ${queue} was declared with other arguments: unless it has a single active consumer, only one worker may run for its order to be kept`,
    );
  if (bindings.length === 0) return;
  await declareExchange(model, exchange, rpcTimeoutMs);
  await onChannel(model, `binding the queue "${queue}" to the exchange "${exchange}"`, rpcTimeoutMs, async (channel) => {
    for (const key of bindings) await channel.bindQueue(queue, exchange, key);
  });
}

/** Whether there is more to a consumer's source than a queue that is there, or is not. */
export function isMoreThanQueue({ bindings, arguments: own }: AmqpSource): boolean {
  return bindings.length > 0 || own["x-single-active-consumer"] === true;
}

/** Whether the broker said that something is not there. */
export function isNotFound(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === 404;
}

/** The broker's own exchanges are there; another is declared, durable, where it is absent. */
export async function declareExchange(model: ChannelModel, exchange: string, rpcTimeoutMs: number): Promise<void> {
  if (exchange === "" || exchange.startsWith("amq.")) return;
  const isThere = await answers404(model, `looking for the exchange "${exchange}"`, rpcTimeoutMs, (channel) =>
    channel.checkExchange(exchange),
  );
  if (isThere) return;
  await onChannel(model, `declaring the exchange "${exchange}"`, rpcTimeoutMs, (channel) =>
    channel.assertExchange(exchange, "topic", { durable: true }),
  );
}

/** Declares a queue of ours beside a consumer's; one that is there with other arguments is taken as it is. */
export async function declareBeside(
  model: ChannelModel,
  queue: string,
  itsArguments: Readonly<Record<string, unknown>>,
  rpcTimeoutMs: number,
): Promise<void> {
  if (!(await queueExists(model, queue, rpcTimeoutMs))) await declareAnew(model, queue, itsArguments, rpcTimeoutMs);
}

/** As `declareBeside`, but that a queue which expires when it is not used has been used by it. */
export function declareAnew(
  model: ChannelModel,
  queue: string,
  itsArguments: Readonly<Record<string, unknown>>,
  rpcTimeoutMs: number,
): Promise<void> {
  return onChannel(model, `declaring the queue "${queue}"`, rpcTimeoutMs, (channel) =>
    channel.assertQueue(queue, { durable: true, arguments: itsArguments }),
  );
}

function queueExists(model: ChannelModel, queue: string, rpcTimeoutMs: number): Promise<boolean> {
  return answers404(model, `looking for the queue "${queue}"`, rpcTimeoutMs, (channel) => channel.checkQueue(queue));
}

function queueArguments({ isCompeting, arguments: own }: AmqpSource, { queueTtlMs, queueType }: AmqpSettings): Record<string, unknown> {
  const expiresMs = queueTtlMs ?? (isCompeting ? undefined : dayMs);
  return {
    ...(queueType === undefined ? {} : { "x-queue-type": queueType }),
    ...(expiresMs === undefined ? {} : { "x-expires": expiresMs }),
    ...own,
  };
}

async function isAsDeclared(model: ChannelModel, source: AmqpSource, settings: AmqpSettings): Promise<boolean> {
  try {
    const options = { durable: true, arguments: queueArguments(source, settings) };
    await onChannel(model, "comparing", settings.connectTimeoutMs, (channel) => channel.assertQueue(source.queue, options));
    return true;
  } catch (error) {
    if (error instanceof BrokerError && error.reason === "topology") return false;
    throw error;
  }
}

/** @returns false when the broker says that it is not there */
async function answers404(
  model: ChannelModel,
  what: string,
  rpcTimeoutMs: number,
  ask: (channel: Channel) => Promise<unknown>,
): Promise<boolean> {
  try {
    await onChannel(model, what, rpcTimeoutMs, ask);
    return true;
  } catch (error) {
    if (error instanceof BrokerError && isNotFound(error.cause)) return false;
    throw error;
  }
}

/** A channel of its own: a question that the broker answers with an error closes the channel. @throws {BrokerError} */
async function onChannel(
  model: ChannelModel,
  what: string,
  rpcTimeoutMs: number,
  use: (channel: Channel) => Promise<unknown>,
): Promise<void> {
  const channel = await within(model.createChannel(), rpcTimeoutMs, "opening a channel");
  channel.on("error", () => undefined);
  try {
    await within(use(channel), rpcTimeoutMs, what);
  } catch (error) {
    throw explainChannelError(error, what);
  } finally {
    await within(channel.close(), rpcTimeoutMs, "closing a channel").catch(() => undefined);
  }
}
