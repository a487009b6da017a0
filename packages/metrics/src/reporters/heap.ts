import { getHeapSpaceStatistics, getHeapStatistics } from "node:v8";
import { residentMemory } from "@tsserve/server";
import type { ProcessGauges } from "./process-gauges.ts";
import type { Reporter } from "./schedule.ts";

/** Memory: of the process, of the heap, and of its spaces. */
export function heapReporter(gauges: ProcessGauges): Reporter {
  return {
    name: "monitoring.gc.stats",
    report: () => {
      const { used_heap_size: used, total_heap_size: total, heap_size_limit: limit } = getHeapStatistics();
      gauges.set("runtime_heap_used_bytes", "What lives on the heap, and what is not yet collected.", used);
      gauges.set("runtime_heap_total_bytes", "The heap, its free parts among it.", total);
      gauges.set("runtime_heap_limit_bytes", "How large the heap may become.", limit);
      const resident = residentMemory();
      if (resident > 0) gauges.set("runtime_resident_memory_bytes", "Memory of the process that is in use.", resident);
      for (const { space_name: space, space_used_size: bytes } of getHeapSpaceStatistics())
        gauges.set("runtime_heap_space_used_bytes", "What is used of a space of the heap.", bytes, { space });
    },
  };
}
