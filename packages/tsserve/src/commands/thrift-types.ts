import { resolve } from "node:path";
import { idlFilesIn, IdlError, loadIdl, warningsOf, writeTypes } from "@tsserve/thrift";
import { exitCodes } from "@tsserve/server";
import type { Host } from "../host.ts";
import type { OptionValues } from "../options.ts";
import { UsageError } from "../usage-error.ts";

/** Writes the TypeScript types of a .thrift file, and of what it includes, to stdout. */
export function run(host: Host, [file, ...rest]: readonly string[], values: OptionValues): Promise<number> {
  if (file === undefined || rest.length > 0) throw new UsageError("expected tsserve thrift-types FILE.thrift");
  const i64 = values.i64 ?? "bigint";
  if (i64 !== "bigint" && i64 !== "number") throw new UsageError(`--i64: expected bigint or number, found "${i64}"`);
  try {
    const folders = values.includes.map((folder) => resolve(host.cwd, folder));
    const idl = loadIdl(resolve(host.cwd, file), idlFilesIn(folders));
    host.print(writeTypes(idl, { i64 }).trimEnd());
    for (const warning of warningsOf(idl)) host.printError(`${warning.message} (warning)`);
    return Promise.resolve(exitCodes.stopped);
  } catch (error) {
    if (!(error instanceof IdlError)) throw error;
    host.printError(error.message);
    return Promise.resolve(2);
  }
}
