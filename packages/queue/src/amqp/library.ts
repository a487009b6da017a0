import { loadPeer } from "../load-peer.ts";

/** The part of amqplib that is used. */
export type AmqpLibrary = Pick<typeof import("amqplib"), "connect">;

/**
 * Loads amqplib: an optional peer, which only a process that speaks AMQP needs.
 *
 * @throws {BrokerError} `library`
 */
export async function loadLibrary(neededBy: string): Promise<AmqpLibrary> {
  const module: AmqpLibrary & { readonly default?: AmqpLibrary } = await loadPeer("amqplib", () => import("amqplib"), neededBy);
  // A CommonJS module: its functions stand on its default export where Node can't tell their names.
  return typeof module.connect === "function" ? module : (module.default as AmqpLibrary);
}
