import { loadPeer } from "../load-peer.ts";

/** The part of amqplib that is used. */
export type AmqpLibrary = Pick<typeof import("amqplib"), "connect">;

/**
 * Loads amqplib: an optional peer, which only a process that speaks AMQP needs.
 *
 * @param folder of the INI file
 * @throws {BrokerError} `library`
 */
export function loadLibrary(neededBy: string, folder: string): AmqpLibrary {
  return loadPeer("amqplib", folder, neededBy) as AmqpLibrary;
}
