import type { Host } from "../host.ts";
import type { OptionValues } from "../options.ts";
import { isReloadChild } from "../reload/child.ts";
import { workersOf } from "../workers/workers-of.ts";

/** Serves: as one process, as a master with workers, or watching the files. Each loads only what it needs. */
export async function run(host: Host, positionals: readonly string[], values: OptionValues): Promise<number> {
  if (values.reload !== undefined && !isReloadChild(host)) {
    const { superviseReload } = await import("../reload/supervisor.ts");
    return superviseReload(host, positionals, values);
  }
  const count = values.reload === undefined ? workersOf(host, positionals, values) : undefined;
  if (count !== undefined) {
    const { superviseWorkers } = await import("../workers/supervise-workers.ts");
    return superviseWorkers(host, positionals, values, count);
  }
  const { serveApplication } = await import("../serve-application.ts");
  return serveApplication(host, positionals, values);
}
