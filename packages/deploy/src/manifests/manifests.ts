import type { DeploymentPlan, ManifestOptions } from "../deployment-plan.ts";
import { autoscaler } from "./autoscaler.ts";
import { configMap } from "./config-map.ts";
import { deployment } from "./deployment.ts";
import { disruptionBudget } from "./disruption-budget.ts";
import type { Manifest } from "./manifest.ts";
import { monitor } from "./monitor.ts";
import { queueScaler } from "./queue-scaler.ts";
import { service } from "./service.ts";

/** Every object that runs the server on Kubernetes, in the order in which they are applied. */
export function manifests(plan: DeploymentPlan, options: ManifestOptions = {}): Manifest[] {
  const all = [
    configMap(plan),
    deployment(plan, options),
    service(plan),
    disruptionBudget(plan),
    autoscaler(plan, options),
    queueScaler(plan, options),
    monitor(plan, options),
  ];
  return all.filter((manifest) => manifest !== undefined);
}
