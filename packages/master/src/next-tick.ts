import type { Fleet, Worker } from "./fleet.ts";
import { silenceMs } from "./lending.ts";
import { missingSlots } from "./settle.ts";

/** When `step` wants a tick, if nothing else happens; `undefined` when never. Always later than `now`. */
export function nextTick(fleet: Fleet, now: number): number | undefined {
  let next = Number.POSITIVE_INFINITY;
  for (const worker of fleet.workers) next = Math.min(next, deadlineOf(fleet, worker, now));
  if (fleet.stopping === "no" && fleet.notBefore > now && missingSlots(fleet).length > 0) next = Math.min(next, fleet.notBefore);
  return next === Number.POSITIVE_INFINITY ? undefined : next;
}

function deadlineOf({ options, sets, stopping }: Fleet, worker: Worker, now: number): number {
  const { state, since, killAt, isKilled, heardAt, isSilent, askedAt, startedAt } = worker;
  if (isKilled) return Number.POSITIVE_INFINITY;
  if (killAt !== undefined) return killAt;
  if (state === "starting") return since + worker.startTimeoutMs;
  if (state === "stopping") return since + worker.killAfterMs;
  if (stopping !== "no") return Number.POSITIVE_INFINITY;
  const { workerTimeoutMs, limits } = options;
  let next = Number.POSITIVE_INFINITY;
  // What is past already waits for something else: the age, for others to be replaced before.
  const add = (at: number): void => {
    if (at > now && at < next) next = at;
  };
  if (sets > 1 && !isSilent) add(heardAt + silenceMs);
  if (workerTimeoutMs !== undefined && askedAt === undefined) add(heardAt + workerTimeoutMs);
  if (limits.maxAgeMs !== undefined) add(startedAt + limits.maxAgeMs);
  return next;
}
