import type { Container, Probe } from "kubernetes-types/core/v1.js";
import type { DeploymentPlan } from "../deployment-plan.ts";
import { imageCommand } from "../image-command.ts";
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

type ProbeType = "startup" | "readiness" | "liveness";

function asking(plan: DeploymentPlan, type: ProbeType): Probe {
  const { kind, port, serverHealth = "http", metricsPort, localMetricsPort } = plan;
  const asksServer = (kind === "http" || kind === "queue") && serverHealth !== "none";
  const path = `/health?type=${type}`;
  if (asksServer && (type === "readiness" || metricsPort === undefined))
    return { httpGet: { path, port: portNames.server, ...(serverHealth === "https" ? { scheme: "HTTPS" } : {}) } };
  if (metricsPort !== undefined) return { httpGet: { path, port: portNames.metrics } };
  if (kind === "thrift") return byCommand("thrift", port, type);
  // What listens on the loopback address is reached from within the pod only.
  if (localMetricsPort !== undefined) return byCommand("http", localMetricsPort, type);
  return { tcpSocket: { port: portNames.server } };
}

function byCommand(kind: "http" | "thrift", port: number, type: ProbeType): Probe {
  return { exec: { command: [...imageCommand, "healthcheck", kind, `127.0.0.1:${port}`, "--probe", type] } };
}
