import type { Container, Probe } from "kubernetes-types/core/v1.js";
import type { DeploymentPlan } from "../deployment-plan.ts";
import { portNames } from "./manifest.ts";

type Probes = Pick<Container, "startupProbe" | "readinessProbe" | "livenessProbe">;

const startupPeriodSeconds = 2;

/**
 * The three probes. Liveness is generous: a stuck event loop is first `worker_timeout`'s business, which has a stack to
 * show. Readiness is quick, because it is what a drain makes fail. They ask the exporter's port, which answers while
 * `max_concurrency` is reached, but for readiness, which a full server may well fail.
 */
export function probesOf(plan: DeploymentPlan): Probes {
  return {
    startupProbe: {
      ...asking(plan, "startup"),
      periodSeconds: startupPeriodSeconds,
      timeoutSeconds: 2,
      failureThreshold: Math.ceil(plan.startSeconds / startupPeriodSeconds) + 1,
    },
    readinessProbe: { ...asking(plan, "readiness"), periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 2 },
    livenessProbe: { ...asking(plan, "liveness"), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
  };
}

function asking({ kind, port, metricsPort }: DeploymentPlan, type: "startup" | "readiness" | "liveness"): Probe {
  const speaksHttp = kind === "http" || kind === "queue";
  if (speaksHttp && (type === "readiness" || metricsPort === undefined)) {
    return { httpGet: { path: `/health?type=${type}`, port: portNames.server } };
  }
  if (metricsPort !== undefined) return { httpGet: { path: `/health?type=${type}`, port: portNames.metrics } };
  if (kind !== "thrift") return { tcpSocket: { port: portNames.server } };
  const command = ["node", "node_modules/tsserve/bin/tsserve.js", "healthcheck", "thrift", `127.0.0.1:${port}`, "--probe", type];
  return { exec: { command } };
}
