import type { Lifetime } from "./connection.ts";
import type { Rotation } from "./settings.ts";

/**
 * Draws how long each connection may be used. The lot only ever shortens, so that no limit is exceeded, and connections that
 * began together do not end together.
 *
 * @param random from 0 to 1
 */
export function makeLot({ maxRequests, maxAgeMs, jitter }: Rotation, random: () => number): () => Lifetime {
  const less = (limit: number): number => limit * (1 - jitter * random());
  return () => ({
    maxRequests: maxRequests === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.ceil(less(maxRequests))),
    maxAgeMs: maxAgeMs === 0 ? Number.POSITIVE_INFINITY : less(maxAgeMs),
  });
}
