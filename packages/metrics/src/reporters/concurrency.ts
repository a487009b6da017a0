import type { ProcessGauges } from "./process-gauges.ts";
import type { Reporter } from "./schedule.ts";

/** How many connections are open, and how many requests in progress. */
export function concurrencyReporter(gauges: ProcessGauges, stats: () => { openConnections: number; activeRequests: number }): Reporter {
  return {
    name: "monitoring.concurrency",
    report: () => {
      const { openConnections, activeRequests } = stats();
      gauges.set("runtime_open_connections", "Open connections, waiting ones among them.", openConnections);
      gauges.set("runtime_active_requests", "Requests in progress.", activeRequests);
    },
  };
}
