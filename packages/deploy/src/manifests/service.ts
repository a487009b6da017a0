import type { Service } from "kubernetes-types/core/v1.js";
import type { DeploymentPlan } from "../deployment-plan.ts";
import { labelsOf, portNames, selectorOf, type Manifest } from "./manifest.ts";

/** Where clients in the cluster connect: port 80 for HTTP, else the server's own. Consumers of queues have no clients. */
export function service({ name, kind, port, metricsPort }: DeploymentPlan): Manifest | undefined {
  if (kind === "queue") return undefined;
  const server = { name: portNames.server, port: kind === "http" ? 80 : port, targetPort: portNames.server };
  const metrics = metricsPort === undefined ? [] : [{ name: portNames.metrics, port: metricsPort, targetPort: portNames.metrics }];
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, labels: labelsOf(name) },
    spec: { selector: selectorOf(name), ports: [server, ...metrics] },
  } satisfies Service;
}
