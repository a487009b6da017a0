import type { PoolFigures } from "@tsserve/server";
import type { ProcessGauges } from "./process-gauges.ts";
import type { Reporter } from "./schedule.ts";

/** The connection pools that the app registered; one that can't tell gives nothing, and does not keep the others from it. */
export function poolsReporter(gauges: ProcessGauges, pools: ReadonlyMap<string, () => PoolFigures | undefined>): Reporter {
  return {
    name: "monitoring.connection_pool",
    report: () => {
      for (const [client, figures] of pools) {
        const found = figures();
        if (found === undefined) continue;
        const { size, idle, inUse, waiting } = found;
        gauges.set("runtime_pool_size", "How many connections the pool may have.", size, { client });
        gauges.set("runtime_pool_idle", "Connections of the pool that nobody uses.", idle, { client });
        gauges.set("runtime_pool_in_use", "Connections of the pool in use.", inUse, { client });
        gauges.set("runtime_pool_waiting", "Who waits for a connection of the pool.", waiting, { client });
      }
    },
  };
}
