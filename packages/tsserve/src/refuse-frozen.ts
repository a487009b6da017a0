import { TsserveError } from "@tsserve/config";

/**
 * What is used for logs, and by frameworks (pino; depd, of Express), sets `Error.prepareStackTrace`. Under `--frozen-intrinsics` Node 20
 * forbids that, and the start would end with a stack of theirs.
 *
 * @param error the built-in `Error`
 * @throws {TsserveError} where it can't be set
 */
export function refuseFrozen(error: object = Error): void {
  const found = Object.getOwnPropertyDescriptor(error, "prepareStackTrace");
  const canBeSet = found === undefined ? Object.isExtensible(error) : found.writable === true || found.set !== undefined;
  if (canBeSet) return;
  throw new TsserveError(
    "ERR_TSSERVE_USAGE",
    "the built-ins of JavaScript are frozen, as by --frozen-intrinsics in NODE_OPTIONS or on the command line of Node: " +
      "the logger and most frameworks can't be used then on this version of Node; expected to be started without it",
  );
}
