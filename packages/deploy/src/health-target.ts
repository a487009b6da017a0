import type { DeploymentPlan } from "./deployment-plan.ts";

/** Whom a health check asks from within the container, and how. */
export interface HealthTarget {
  readonly kind: "http" | "thrift";
  readonly port: number;
}

/**
 * Who can tell from within the container how the server is: itself, or the exporter, which knows, too, and speaks plain HTTP.
 *
 * @returns `undefined` where the server's port tells a check nothing, and metrics are off
 */
export function healthTarget({
  kind,
  port,
  serverHealth = "http",
  metricsPort,
  localMetricsPort,
}: Pick<DeploymentPlan, "kind" | "port" | "serverHealth" | "metricsPort" | "localMetricsPort">): HealthTarget | undefined {
  if (kind === "thrift") return { kind: "thrift", port };
  const exporter = metricsPort ?? localMetricsPort;
  if (exporter !== undefined && (kind === "other" || serverHealth !== "http")) return { kind: "http", port: exporter };
  return serverHealth === "http" ? { kind: "http", port } : undefined;
}
