/** When a worker has served for long enough, or has grown too large; what is `undefined` is no limit. */
export interface WorkerLimits {
  readonly maxRequests: number | undefined;
  /** Up to so many requests more, drawn for each worker: else all would reach the limit at once. */
  readonly maxRequestsJitter: number;
  readonly maxAgeMs: number | undefined;
  /** Of resident memory. */
  readonly maxMemoryBytes: number | undefined;
}

/** What a worker has been used for. */
export interface WorkerUse {
  readonly requestsTotal: number;
  readonly memoryBytes: number;
  readonly ageMs: number;
}

/** The limit that was reached, and a sentence about it. */
export interface ReachedLimit {
  readonly limit: "max_requests" | "max_age" | "max_memory";
  readonly reason: string;
}

/**
 * Why a worker is to be replaced; `undefined` when it is not.
 *
 * @param jitter its own share of `maxRequestsJitter`, from 0 to 1
 */
export function reasonToRetire(use: WorkerUse, limits: WorkerLimits, jitter: number): ReachedLimit | undefined {
  const { requestsTotal, memoryBytes, ageMs } = use;
  const { maxRequests, maxRequestsJitter, maxAgeMs, maxMemoryBytes } = limits;
  if (maxRequests !== undefined && requestsTotal >= maxRequests + Math.floor(jitter * (maxRequestsJitter + 1)))
    return { limit: "max_requests", reason: `max_requests: it has served ${requestsTotal}` };
  if (maxAgeMs !== undefined && ageMs >= maxAgeMs) return { limit: "max_age", reason: `max_age: it is ${Math.round(ageMs / 1000)} s old` };
  if (maxMemoryBytes !== undefined && memoryBytes >= maxMemoryBytes)
    return { limit: "max_memory", reason: `max_memory: it has ${Math.round(memoryBytes / 2 ** 20)} MB` };
  return undefined;
}
