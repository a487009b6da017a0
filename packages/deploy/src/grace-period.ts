import type { DeploymentPlan } from "./deployment-plan.ts";

/** Time between the signal and the moment when no balancer sends a new connection any more. */
const endpointRemovalSeconds = 5;
/** What a stop may take beyond `drain_time` and `stop_timeout`: hooks that overrun, the last traces and errors that are sent. */
const marginSeconds = 6;
/** The least that Kubernetes must grant beyond the drain and the stop; a configuration with less is refused. */
const leastMarginSeconds = 2;

/** How a pod is ended. Whole numbers of seconds. */
export interface PodStop {
  /** How long Kubernetes waits before it sends SIGTERM; 0 for not at all. Counts against the grace period. */
  readonly preStopSeconds: number;
  readonly gracePeriodSeconds: number;
}

type Times = Pick<DeploymentPlan, "drainSeconds" | "stopSeconds" | "graceSeconds" | "kind">;

/**
 * Kubernetes removes a pod from its endpoints while it stops it: until that is known everywhere, the pod has to go on
 * serving. `drain_time` does that, and readiness fails visibly meanwhile; where it is shorter than the removal takes, a
 * `preStop` sleep makes up for it. Consumers of queues have no balancer to wait for.
 */
export function podStop({ drainSeconds, stopSeconds, graceSeconds, kind }: Times): PodStop {
  const needed = Math.ceil(drainSeconds + stopSeconds);
  const wanted = kind === "queue" ? 0 : Math.max(0, Math.ceil(endpointRemovalSeconds - drainSeconds));
  if (graceSeconds === undefined) return { preStopSeconds: wanted, gracePeriodSeconds: wanted + needed + marginSeconds };
  return { preStopSeconds: Math.max(0, Math.min(wanted, graceSeconds - needed - leastMarginSeconds)), gracePeriodSeconds: graceSeconds };
}
