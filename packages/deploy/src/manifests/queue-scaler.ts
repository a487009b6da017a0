import type { DeploymentPlan, ManifestOptions, QueueTrigger } from "../deployment-plan.ts";
import { scaleBounds } from "./autoscaler.ts";
import { labelsOf, type Manifest } from "./manifest.ts";

/** Messages that wait for each pod: more of them, and there should be more pods. */
const messagesPerPod = 20;

/**
 * KEDA's object for consumers of queues. What a worker has prefetched is unacknowledged, not ready: both must be
 * counted, or a backlog hides in the workers. KEDA finds the broker by the variables that the authentication object
 * names; where none is written, `RABBITMQ_URL` or the pods' AWS identity.
 */
export function queueScaler({ name }: DeploymentPlan, options: ManifestOptions): Manifest | undefined {
  if (options.autoscaler !== "keda" || options.queues === undefined || options.queues.length === 0) return undefined;
  const { least, most } = scaleBounds(options);
  return {
    apiVersion: "keda.sh/v1alpha1",
    kind: "ScaledObject",
    metadata: { name, labels: labelsOf(name) },
    spec: {
      scaleTargetRef: { name },
      minReplicaCount: least,
      maxReplicaCount: most,
      triggers: options.queues.map((queue) => triggerOf(queue)),
    },
  };
}

function triggerOf({ system, queue }: QueueTrigger): object {
  if (system === "rabbitmq") {
    return {
      type: "rabbitmq",
      metadata: {
        queueName: queue,
        mode: "QueueLength",
        value: String(messagesPerPod),
        hostFromEnv: "RABBITMQ_URL",
        protocol: "http",
        excludeUnacknowledged: "false",
      },
    };
  }
  return {
    type: "aws-sqs-queue",
    metadata: {
      queueURLFromEnv: queueUrlVariable(queue),
      queueLength: String(messagesPerPod),
      scaleOnInFlight: "true",
      identityOwner: "operator",
    },
  };
}

/** `QUEUE_URL_ORDERS` for the queue `orders`. */
export function queueUrlVariable(queue: string): string {
  return `QUEUE_URL_${queue.toUpperCase().replaceAll(/\W/g, "_")}`;
}
