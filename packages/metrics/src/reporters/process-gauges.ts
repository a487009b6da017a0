import type { Labels, Meter, MetricFamily } from "@tsserve/server";

/** Gauges of one process: they carry its pid. */
export interface ProcessGauges {
  set(name: string, help: string, value: number, labels?: Labels): void;
}

export function processGauges(meter: Meter, hostname: string, pid: number): ProcessGauges {
  const families = new Map<string, MetricFamily>();
  return {
    set: (name, help, value, labels = {}) => {
      let family = families.get(name);
      if (family === undefined) {
        // Prometheus' own linter wants nothing else to have this label; to everybody else it is a gauge all the same.
        family = { name, help, type: "quantile" in labels ? "summary" : "gauge" };
        families.set(name, family);
      }
      meter.gauge(family, { hostname, pid: String(pid), ...labels }).set(value);
    },
  };
}
