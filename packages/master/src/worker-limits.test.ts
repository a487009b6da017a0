import { expect, test } from "vitest";
import { reasonToRetire, type WorkerLimits } from "./worker-limits.ts";

const none: WorkerLimits = { maxRequests: undefined, maxRequestsJitter: 0, maxAgeMs: undefined, maxMemoryBytes: undefined };
const use = { requestsTotal: 100, memoryBytes: 200 * 2 ** 20, ageMs: 60_000 };

test.each([
  [none, 0, undefined],
  [{ ...none, maxRequests: 101 }, 0, undefined],
  [{ ...none, maxRequests: 100 }, 0.99, "max_requests: it has served 100"],
  [{ ...none, maxRequests: 90, maxRequestsJitter: 20 }, 0.1, "max_requests: it has served 100"],
  [{ ...none, maxRequests: 90, maxRequestsJitter: 20 }, 0.9, undefined],
  [{ ...none, maxAgeMs: 60_000 }, 0, "max_age: it is 60 s old"],
  [{ ...none, maxMemoryBytes: 100 * 2 ** 20 }, 0, "max_memory: it has 200 MB"],
  [{ ...none, maxMemoryBytes: 300 * 2 ** 20, maxAgeMs: 61_000 }, 0, undefined],
])("%j, jitter %d: %s", (limits, jitter, reason) => expect(reasonToRetire(use, limits, jitter)?.reason).toBe(reason));
