import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { latencyBuckets } from "@tsserve/server";
import { failedWith, succeeded } from "../server/outcome.ts";

/** The `thrift_client_*` metrics of all clients that share a registry. */
export interface ClientMetrics {
  begin(method: string, client: string): void;
  end(method: string, client: string, startedAt: number, error: unknown): void;
}

const registered = new WeakMap<Registry, ClientMetrics>();

export function clientMetrics(registry: Registry): ClientMetrics {
  const known = registered.get(registry);
  if (known !== undefined) return known;
  const registers = [registry];
  const latency = new Histogram({
    name: "thrift_client_latency_seconds",
    help: "How long calls took, by the client's clock.",
    labelNames: ["thrift_method", "thrift_client_name", "thrift_success"],
    buckets: [...latencyBuckets],
    registers,
  });
  const total = new Counter({
    name: "thrift_client_requests_total",
    help: "Calls that are over.",
    labelNames: [
      "thrift_method",
      "thrift_client_name",
      "thrift_success",
      "thrift_exception_type",
      "thrift_baseplate_status",
      "thrift_baseplate_status_code",
    ],
    registers,
  });
  const active = new Gauge({
    name: "thrift_client_active_requests",
    help: "Calls in progress.",
    labelNames: ["thrift_method", "thrift_client_name"],
    registers,
  });
  const metrics: ClientMetrics = {
    begin: (method, client) => active.inc({ thrift_method: method, thrift_client_name: client }),
    end: (method, client, startedAt, error) => {
      const { success, exceptionType, status, statusCode } = error === undefined ? succeeded : failedWith(error);
      const labels = { thrift_method: method, thrift_client_name: client };
      active.dec(labels);
      latency.observe({ ...labels, thrift_success: String(success) }, (performance.now() - startedAt) / 1000);
      total.inc({
        ...labels,
        thrift_success: String(success),
        thrift_exception_type: exceptionType,
        thrift_baseplate_status: status,
        thrift_baseplate_status_code: statusCode,
      });
    },
  };
  registered.set(registry, metrics);
  return metrics;
}
