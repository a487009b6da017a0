import type { ConfigMap } from "kubernetes-types/core/v1.js";
import type { DeploymentPlan } from "../deployment-plan.ts";
import { configMapName, labelsOf, type Manifest } from "./manifest.ts";

/** The INI file as it was written: what it refers to by `$NAME` is not in it. */
export function configMap({ name, iniText }: DeploymentPlan): Manifest {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: configMapName(name), labels: labelsOf(name) },
    data: { "app.ini": iniText },
  } satisfies ConfigMap;
}
