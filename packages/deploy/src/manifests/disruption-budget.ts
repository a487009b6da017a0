import type { PodDisruptionBudget } from "kubernetes-types/policy/v1.js";
import type { DeploymentPlan } from "../deployment-plan.ts";
import { labelsOf, selectorOf, type Manifest } from "./manifest.ts";

/** While nodes are emptied, one pod at a time. */
export function disruptionBudget({ name }: DeploymentPlan): Manifest {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name, labels: labelsOf(name) },
    spec: { maxUnavailable: 1, selector: { matchLabels: selectorOf(name) } },
  } satisfies PodDisruptionBudget;
}
