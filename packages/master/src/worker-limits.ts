/** When a worker has served for long enough, or has grown too large; what is `undefined` is no limit. */
export interface WorkerLimits {
  readonly maxRequests: number | undefined;
  /** Up to so many requests more, drawn for each worker: else all would reach the limit at once. */
  readonly maxRequestsJitter: number;
  readonly maxAgeMs: number | undefined;
  readonly maxMemoryBytes: number | undefined;
}

export interface WorkerUse {
  readonly requestsTotal: number;
  readonly memoryBytes: number;
  readonly ageMs: number;
}

/**
 * Why a worker is to be replaced; `undefined` when it is not.
 *
 * @param jitter its own share of `maxRequestsJitter`, from 0 to 1
 */
export function reasonToRetire({ requestsTotal, memoryBytes, ageMs }: WorkerUse, limits: WorkerLimits, jitter: number): string | undefined {
  const { maxRequests, maxRequestsJitter, maxAgeMs, maxMemoryBytes } = limits;
  if (maxRequests !== undefined && requestsTotal >= maxRequests + Math.floor(jitter * (maxRequestsJitter + 1)))
    return `max_requests: it has served ${requestsTotal}`;
  if (maxAgeMs !== undefined && ageMs >= maxAgeMs) return `max_age: it is ${Math.round(ageMs / 1000)} s old`;
  if (maxMemoryBytes !== undefined && memoryBytes >= maxMemoryBytes) return `max_memory: it has ${Math.round(memoryBytes / 2 ** 20)} MB`;
  return undefined;
}
