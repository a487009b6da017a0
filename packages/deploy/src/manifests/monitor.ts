import type { DeploymentPlan, ManifestOptions } from "../deployment-plan.ts";
import { labelsOf, portNames, selectorOf, type Manifest } from "./manifest.ts";

/** For Prometheus's operator. Whichever worker of a pod answers, answers for all of them: one endpoint a pod. */
export function monitor({ name, kind, metricsPort }: DeploymentPlan, { monitor: wanted }: ManifestOptions): Manifest | undefined {
  if (wanted === undefined || metricsPort === undefined) return undefined;
  // There is no Service for consumers of queues.
  const isService = wanted === "service" && kind !== "queue";
  const endpoint = { port: portNames.metrics, path: "/metrics", interval: "15s" };
  const selector = { matchLabels: selectorOf(name) };
  return {
    apiVersion: "monitoring.coreos.com/v1",
    kind: isService ? "ServiceMonitor" : "PodMonitor",
    metadata: { name, labels: labelsOf(name) },
    spec: isService ? { selector, endpoints: [endpoint] } : { selector, podMetricsEndpoints: [endpoint] },
  };
}
