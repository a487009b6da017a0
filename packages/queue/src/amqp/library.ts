import { createRequire } from "node:module";
import { loadPeer } from "../load-peer.ts";

/** The part of amqplib that is used. */
export type AmqpLibrary = Pick<typeof import("amqplib"), "connect">;

/**
 * Loads amqplib: an optional peer, which only a process that speaks AMQP needs.
 *
 * @throws {BrokerError} `library`
 */
export async function loadLibrary(neededBy: string): Promise<AmqpLibrary> {
  type Loaded = AmqpLibrary & { readonly default?: AmqpLibrary };
  // It is CommonJS: `import` would first have to find out the names of what it exports, and all of it is on the start's way.
  const require = createRequire(import.meta.url);
  const module = await loadPeer("amqplib", () => require("amqplib") as Loaded, neededBy);
  // A CommonJS module: its functions stand on its default export where Node can't tell their names.
  return typeof module.connect === "function" ? module : (module.default as AmqpLibrary);
}
