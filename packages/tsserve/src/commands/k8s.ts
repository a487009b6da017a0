import { resolve } from "node:path";
import { didYouMean } from "@tsserve/config";
import { helmChart, manifests, poolDemand, printManifests, type DeploymentPlan, type ManifestOptions } from "@tsserve/deploy";
import { exitCodes } from "@tsserve/server";
import { planDeployment } from "../deploy/plan-deployment.ts";
import { queuesOf } from "../deploy/queues-of.ts";
import { warnOfOtherPlaces } from "../deploy/warn-of-other-places.ts";
import { writeNewFiles } from "../deploy/write-new-files.ts";
import type { Host } from "../host.ts";
import type { OptionValues } from "../options.ts";
import { UsageError } from "../usage-error.ts";

const mostReplicas = 10_000;
/** Pods that a rolling deployment has beyond the others. */
const surgeShare = 0.25;

/** Prints the manifests, or writes a Helm chart into the folder of `--helm`. */
export async function run(host: Host, positionals: readonly string[], values: OptionValues): Promise<number> {
  const options: ManifestOptions = {
    image: values.image,
    replicas: replicasOf(values.replicas),
    autoscaler: oneOf("--hpa", values.hpa, ["cpu", "elu", "keda"] as const),
    monitor: oneOf("--monitor", values.monitor, ["pod", "service"] as const),
  };
  const plan = await planDeployment(host, positionals, values, { carriesFile: true });
  if (options.autoscaler === "keda" && plan.kind !== "queue") throw new UsageError("--hpa keda: expected factory = tsserve/queue");
  const queues = options.autoscaler === "keda" ? await queuesOf(host, positionals, values) : undefined;
  const all = { ...options, queues };
  warnOfOtherPlaces(host, plan);
  warnOfPools(host, plan, options);
  if (values.helm === undefined) host.print(printManifests(plan, manifests(plan, all)).trimEnd());
  else for (const path of writeNewFiles(resolve(host.cwd, values.helm), helmChart(plan, all))) host.print(path);
  return exitCodes.stopped;
}

function replicasOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= mostReplicas) return count;
  throw new UsageError(`--replicas: expected a number from 1 to ${mostReplicas}, found "${text}"`);
}

function oneOf<T extends string>(option: string, text: string | undefined, known: readonly T[]): T | undefined {
  const found = known.find((each) => each === text);
  if (text === undefined || found !== undefined) return found;
  throw new UsageError(`${option}: expected ${known.join(" or ")}, found "${text}"${didYouMean(text, known)}`);
}

/** How many connections a process keeps is known only when the app runs: what each may have at most is told here. */
function warnOfPools(host: Host, { pools, workers, hasMaster, upgrade }: DeploymentPlan, { replicas = 2 }: ManifestOptions): void {
  const surge = Math.ceil(replicas * surgeShare);
  for (const { name, maxConnections } of pools) {
    const processes = poolDemand(1, { workers, hasMaster, upgrade, replicas, surge });
    const each = Math.floor(maxConnections / processes);
    host.printError(
      each < 1
        ? `tsserve: pool.${name}.max_connections = ${maxConnections} is less than the ${processes} processes that may be up while a deployment rolls`
        : `tsserve: pool.${name}: up to ${processes} processes while a deployment rolls, so at most ${each} connections each`,
    );
  }
}
