/** How many processes of a service may be up at the same moment. */
export interface PoolUsers {
  readonly workers: number;
  /** Whether there is a master: only then do two generations overlap on one host. */
  readonly hasMaster: boolean;
  readonly upgrade: "smooth" | "fleet";
  readonly replicas?: number | undefined;
  /** Pods beyond `replicas` while a deployment rolls. */
  readonly surge?: number | undefined;
}

/**
 * The connections that a service may have at once when each process keeps `maxPerProcess`. A `smooth` upgrade has one
 * worker more than usual, a `fleet` upgrade all of them twice; a process without a master counts once.
 */
export function poolDemand(maxPerProcess: number, { workers, hasMaster, upgrade, replicas = 1, surge = 0 }: PoolUsers): number {
  const overlap = hasMaster ? (upgrade === "smooth" ? 1 : workers) : 0;
  return maxPerProcess * (workers + overlap) * (replicas + surge);
}
