import type { Lifetime } from "./connection.ts";
import type { Rotation } from "./settings.ts";

/**
 * Draws how long each connection may be used. The lot only ever shortens, so that no limit is exceeded, and connections that
 * began together do not end together.
 *
 * @param draw from 0 to 1, for each connection once
 */
export function makeLot({ maxRequests, maxAgeMs, jitter }: Rotation, draw: () => number): () => Lifetime {
  return () => {
    const share = 1 - jitter * draw();
    return {
      maxRequests: maxRequests === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.ceil(maxRequests * share)),
      maxAgeMs: maxAgeMs === 0 ? Number.POSITIVE_INFINITY : maxAgeMs * share,
    };
  };
}
