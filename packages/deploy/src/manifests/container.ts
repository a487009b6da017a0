import type { Container, ContainerPort, EnvVar } from "kubernetes-types/core/v1.js";
import type { DeploymentPlan, ManifestOptions } from "../deployment-plan.ts";
import { podStop } from "../grace-period.ts";
import { configMapName, environmentMapName, portNames } from "./manifest.ts";
import { probesOf } from "./probes.ts";

/** Where the generated image has the project. */
const imageFolder = "/app";
/** The one folder that can be written to; `TMPDIR` names it. */
export const temporaryFolder = "/tmp";

const memoryMiBPerWorker = 384;
const memoryMiBOfMaster = 128;
/** The part of a worker's memory that its JavaScript heap may take: beyond it are buffers, code and threads. */
const heapShare = 0.75;

/** What the pod's container asks for: a processor's half and some memory a worker. No processor limit: it would make event loops stall. */
export function resourcesOf({ workers, hasMaster }: DeploymentPlan): {
  requests: { cpu: string; memory: string };
  limits: { memory: string };
} {
  const memory = `${memoryMiBPerWorker * workers + (hasMaster ? memoryMiBOfMaster : 0)}Mi`;
  return { requests: { cpu: `${500 * workers}m`, memory }, limits: { memory } };
}

export function containerOf(plan: DeploymentPlan, options: ManifestOptions): object {
  const { preStopSeconds } = podStop(plan);
  return {
    name: "server",
    image: options.image ?? `${plan.name}:latest`,
    args: [plan.iniPath],
    ports: portsOf(plan),
    env: environmentOf(plan),
    ...probesOf(plan),
    // The sleep action is Kubernetes 1.30's: it needs no shell in the image.
    ...(preStopSeconds === 0 ? {} : { lifecycle: { preStop: { sleep: { seconds: preStopSeconds } } } }),
    resources: resourcesOf(plan),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 1000,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
    volumeMounts: [
      { name: "config", mountPath: `${imageFolder}/${plan.iniPath}`, subPath: "app.ini", readOnly: true },
      { name: "temporary", mountPath: temporaryFolder },
    ],
  } satisfies Container;
}

function portsOf({ port, metricsPort }: DeploymentPlan): ContainerPort[] {
  const server = { name: portNames.server, containerPort: port };
  return metricsPort === undefined ? [server] : [server, { name: portNames.metrics, containerPort: metricsPort }];
}

/** Ours first; then what the INI file refers to, which the process does not start without unless there is a default. */
function environmentOf(plan: DeploymentPlan): EnvVar[] {
  const ours: Record<string, string> = {
    TSSERVE_BIND: `0.0.0.0:${plan.port}`,
    ...(plan.serverName === "main" ? {} : { TSSERVE_SERVER_NAME: plan.serverName }),
    ...(plan.appName === "main" ? {} : { TSSERVE_APP_NAME: plan.appName }),
    TSSERVE_LOG_FORMAT: "json",
    TMPDIR: temporaryFolder,
    NODE_OPTIONS: `--max-old-space-size=${Math.floor(memoryMiBPerWorker * heapShare)}`,
  };
  return [
    ...Object.entries(ours).map(([name, value]) => ({ name, value })),
    ...plan.environment.map(({ name, hasDefault, isSecret }) => {
      const key = { key: name, ...(hasDefault ? { optional: true } : {}) };
      const valueFrom = isSecret
        ? { secretKeyRef: { name: plan.name, ...key } }
        : { configMapKeyRef: { name: environmentMapName(plan.name), ...key } };
      return { name, valueFrom };
    }),
  ];
}

/** The volumes that the container's mounts name. */
export function volumesOf({ name }: DeploymentPlan): object[] {
  return [
    { name: "config", configMap: { name: configMapName(name) } },
    { name: "temporary", emptyDir: {} },
  ];
}
