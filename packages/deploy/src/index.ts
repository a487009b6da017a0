/**
 * What a team deploys beside its code, derived from the INI file instead of typed: Kubernetes manifests, a Helm chart,
 * units, images and proxies. Everything here is a pure function of a `DeploymentPlan`; the commands `tsserve k8s` and
 * `tsserve kit` make the plan and write the files.
 */
export { environmentReferences } from "./environment-references.ts";
export { podStop } from "./grace-period.ts";
export { healthTarget } from "./health-target.ts";
export { isKitName, kits } from "./kit/kit.ts";
export { packageManagerOf } from "./kit/package-manager.ts";
export { helmChart } from "./manifests/helm-chart.ts";
export { manifests } from "./manifests/manifests.ts";
export { printManifests } from "./manifests/print-manifests.ts";
export { poolDemand } from "./pool-demand.ts";

export type {
  DeploymentPlan,
  EnvironmentReference,
  ManifestOptions,
  PoolLimit,
  QueueTrigger,
  ServerHealth,
  ServerKind,
} from "./deployment-plan.ts";
export type { Reference } from "./environment-references.ts";
export type { PodStop } from "./grace-period.ts";
export type { HealthTarget } from "./health-target.ts";
export type { KitFiles, KitName } from "./kit/kit.ts";
export type { PackageManager } from "./kit/package-manager.ts";
export type { Manifest } from "./manifests/manifest.ts";
export type { PoolUsers } from "./pool-demand.ts";
