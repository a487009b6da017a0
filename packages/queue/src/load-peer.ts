import { requirePeer } from "@tsserve/server";
import { BrokerError } from "./outcome-errors.ts";

/**
 * Loads a library that only those install who need it: the app's own copy where it has one, else the one beside this package.
 *
 * @param folder of the INI file, from which the app's packages are found, wherever the process runs
 * @param neededBy for the message: `consumer "orders"`
 * @throws {BrokerError} `library`, with what to install
 */
export function loadPeer(name: string, folder: string, neededBy: string): unknown {
  const library = requirePeer(name, [folder, import.meta.url]);
  if (library === undefined) throw new BrokerError("library", `${neededBy} needs ${name}: npm install ${name}`, { isPermanent: true });
  return library;
}
