import type { ThriftRequest } from "./thrift-request.ts";

/** Longer ones overflow Node's timers, and are no limit to anybody. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * Bounds a request by its caller's `Deadline-Budget`: how long the caller still waits, in milliseconds as text,
 * fractions allowed; 0 and bad text mean no limit (baseplate's header).
 *
 * @param expire called when the caller has stopped waiting
 */
export function applyDeadline(request: ThriftRequest, written: string | undefined, expire: (request: ThriftRequest) => void): void {
  if (written === undefined || !/^-?\d+(\.\d+)?$/.test(written)) return;
  const budgetMs = Number(written);
  if (budgetMs === 0 || budgetMs > longestTimerMs) return;
  request.deadlineAt = request.startedAt + budgetMs;
  request.deadlineTimer = setTimeout(expire, Math.max(0, budgetMs), request);
}
