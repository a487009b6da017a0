import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseIni, resolveSection } from "@tsserve/config";
import { workerCount } from "@tsserve/server";
import type { Host } from "../host.ts";
import { UsageError, type OptionValues } from "../options.ts";

/**
 * How many workers are asked for, on the command line or in the file; `undefined` when this process serves itself,
 * as a worker does. What is wrong with the file is for its reader to tell.
 *
 * @throws {UsageError} for a wrong `--workers`
 */
export function workersOf(host: Host, [file]: readonly string[], values: OptionValues): number | undefined {
  if (host.env["EINHORN_MASTER_PID"] === String(host.ppid)) return undefined;
  if (values.workers !== undefined) {
    try {
      return workerCount(values.workers);
    } catch (error) {
      throw new UsageError(`--workers: ${(error as Error).message}, found "${values.workers}"`);
    }
  }
  try {
    const text = readFileSync(resolve(host.cwd, file ?? ""), "utf8");
    const { values: server } = resolveSection(parseIni(text, ""), `server:${values["server-name"] ?? "main"}`, host.env);
    return server["workers"] === undefined ? undefined : workerCount(server["workers"]);
  } catch {
    return undefined;
  }
}
