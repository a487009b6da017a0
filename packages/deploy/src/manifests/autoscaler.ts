import type { HorizontalPodAutoscaler, MetricSpec } from "kubernetes-types/autoscaling/v2.js";
import type { DeploymentPlan, ManifestOptions } from "../deployment-plan.ts";
import { defaultReplicas } from "./deployment.ts";
import { labelsOf, type Manifest } from "./manifest.ts";

/** How far an autoscaler may go beyond the least number of pods. */
const mostTimes = 4;

/** Bounds of every kind of autoscaler. */
export function scaleBounds({ replicas = defaultReplicas }: ManifestOptions): { least: number; most: number } {
  return { least: replicas, most: replicas * mostTimes };
}

/**
 * Scales by CPU, which every cluster can, or by the utilization of the event loops, which needs an adapter that serves
 * `runtime_event_loop_utilization` as a metric of pods.
 */
export function autoscaler({ name }: DeploymentPlan, options: ManifestOptions): Manifest | undefined {
  if (options.autoscaler !== "cpu" && options.autoscaler !== "elu") return undefined;
  const { least, most } = scaleBounds(options);
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name, labels: labelsOf(name) },
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name },
      minReplicas: least,
      maxReplicas: most,
      metrics: [options.autoscaler === "cpu" ? byProcessor : byEventLoop],
    },
  } satisfies HorizontalPodAutoscaler;
}

const byProcessor: MetricSpec = {
  type: "Resource",
  resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 70 } },
};
const byEventLoop: MetricSpec = {
  type: "Pods",
  pods: { metric: { name: "runtime_event_loop_utilization" }, target: { type: "AverageValue", averageValue: "700m" } },
};
