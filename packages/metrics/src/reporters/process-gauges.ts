import type { Labels, Meter, MeterGauge, MetricFamily } from "@tsserve/server";

/** Gauges of one process: they carry its pid. */
export interface ProcessGauges {
  set(name: string, help: string, value: number, labels?: Labels): void;
}

export function processGauges(meter: Meter, hostname: string, pid: number): ProcessGauges {
  const gauges = new Map<string, MeterGauge>();
  const families = new Map<string, MetricFamily>();
  return {
    set: (name, help, value, labels = none) => {
      const key = labels === none ? name : `${name} ${JSON.stringify(labels)}`;
      let gauge = gauges.get(key);
      if (gauge === undefined) {
        // Prometheus' own linter wants nothing else to have this label; to everybody else it is a gauge all the same.
        const family = families.get(name) ?? { name, help, type: "quantile" in labels ? "summary" : "gauge" };
        families.set(name, family);
        gauge = meter.gauge(family, { hostname, pid: String(pid), ...labels });
        gauges.set(key, gauge);
      }
      gauge.set(value);
    },
  };
}

const none: Labels = {};
