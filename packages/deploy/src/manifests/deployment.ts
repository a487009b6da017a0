import { createHash } from "node:crypto";
import type { Deployment } from "kubernetes-types/apps/v1.js";
import type { DeploymentPlan, ManifestOptions } from "../deployment-plan.ts";
import { podStop } from "../grace-period.ts";
import { containerOf, volumesOf } from "./container.ts";
import { labelsOf, selectorOf, type Manifest } from "./manifest.ts";

export const defaultReplicas = 2;

/** Another text of the INI file makes other pods: the template carries its checksum. */
export function checksumOf(iniText: string): string {
  return createHash("sha256").update(iniText).digest("hex");
}

/** Pods that run the server; none is taken away before its successor is ready. */
export function deployment(plan: DeploymentPlan, options: ManifestOptions): Manifest {
  const { name } = plan;
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, labels: labelsOf(name) },
    spec: {
      // An autoscaler owns the number: written here, each apply would reset it.
      ...(options.autoscaler === undefined ? { replicas: options.replicas ?? defaultReplicas } : {}),
      revisionHistoryLimit: 3,
      selector: { matchLabels: selectorOf(name) },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: "25%" } },
      template: {
        metadata: { labels: labelsOf(name), annotations: { "checksum/config": checksumOf(plan.iniText) } },
        spec: {
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: podStop(plan).gracePeriodSeconds,
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: "kubernetes.io/hostname",
              whenUnsatisfiable: "ScheduleAnyway",
              labelSelector: { matchLabels: selectorOf(name) },
            },
          ],
          containers: [containerOf(plan, options) as { name: string }],
          volumes: volumesOf(plan) as { name: string }[],
        },
      },
    },
  } satisfies Deployment;
}
