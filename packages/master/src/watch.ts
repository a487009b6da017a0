import { failedStart, youngMs } from "./deaths.ts";
import { withWorker, type Action, type Fleet, type KillReason, type Worker } from "./fleet.ts";
import { silenceMs } from "./lending.ts";
import { stackTimeMs } from "./settle.ts";
import { reasonToRetire } from "./worker-limits.ts";

/** A master whose tick comes so much too late was suspended: it has heard of nobody, which is nobody's fault. */
const pauseMs = 1000;
/** Replacing a worker for its memory is given up when so many, one after the other, were as large while they were young. */
const mostTooLarge = 3;

/** Finds who is late, silent, stuck or worn out: what time does to workers. */
export function watch(fleet: Fleet, now: number, actions: Action[]): Fleet {
  let changed = forgiveOwnPause(fleet, now);
  for (const worker of changed.workers) changed = watchWorker(changed, worker, now, actions);
  return retireOne(changed, now, actions);
}

function forgiveOwnPause(fleet: Fleet, now: number): Fleet {
  if (fleet.tickAt === undefined || now <= fleet.tickAt + pauseMs) return fleet;
  return { ...fleet, workers: fleet.workers.map((worker) => ({ ...worker, heardAt: Math.max(now, worker.heardAt) })) };
}

function watchWorker(fleet: Fleet, worker: Worker, now: number, actions: Action[]): Fleet {
  if (worker.isKilled) return fleet;
  if (worker.killAt !== undefined) {
    if (now < worker.killAt) return fleet;
    if (worker.hurried === "cut" && worker.askedAt === undefined)
      actions.push({ type: "tell", event: { type: "killed", worker, reason: "cut" } });
    actions.push({ type: "kill", worker });
    return withWorker(fleet, worker.id, { isKilled: true });
  }
  // The same sums as those of `nextTick`: a difference would round otherwise, and ask for the instant that it is.
  if (worker.state === "starting") {
    if (now < worker.since + worker.startTimeoutMs) return fleet;
    return failedStart(killed(fleet, worker, "start_timeout", now, actions), worker, "start_timeout", now, actions);
  }
  if (worker.state === "stopping")
    return now < worker.since + worker.killAfterMs ? fleet : killed(fleet, worker, "stop_timeout", now, actions);
  return watchSilence(fleet, worker, now, actions);
}

/** It is asked for its stack, unless it has been already, and given the time to write it. */
export function killed(fleet: Fleet, worker: Worker, reason: KillReason, now: number, actions: Action[]): Fleet {
  if (worker.killAt !== undefined) return fleet;
  actions.push({ type: "tell", event: { type: "killed", worker, reason } });
  if (worker.askedAt === undefined) actions.push({ type: "ask-stack", worker });
  const askedAt = worker.askedAt ?? now;
  const killAt = askedAt + stackTimeMs;
  const isKilled = killAt <= now;
  if (isKilled) actions.push({ type: "kill", worker });
  return withWorker(fleet, worker.id, { state: "stopping", since: now, askedAt, killAt, isKilled });
}

function watchSilence(fleet: Fleet, worker: Worker, now: number, actions: Action[]): Fleet {
  const ms = now - worker.heardAt;
  const isSilent = now >= worker.heardAt + silenceMs;
  const changed = isSilent === worker.isSilent ? fleet : withWorker(fleet, worker.id, { isSilent });
  const { workerTimeoutMs } = fleet.options;
  if (workerTimeoutMs === undefined || now < worker.heardAt + workerTimeoutMs || worker.askedAt !== undefined || fleet.stopping !== "no")
    return changed;
  actions.push({ type: "tell", event: { type: "blocked", worker, ms } }, { type: "ask-stack", worker });
  return withWorker(changed, worker.id, { askedAt: now, retires: true });
}

/** Replaces workers that have reached a limit, one at a time. */
function retireOne(fleet: Fleet, now: number, actions: Action[]): Fleet {
  const { workers, upgrade, stopping } = fleet;
  const { limits } = fleet.options;
  if (stopping !== "no" || upgrade !== undefined || hasNoLimit(fleet)) return fleet;
  if (workers.some(({ retires, state }) => state === "starting" || (retires && state === "up"))) return fleet;
  for (const worker of workers) {
    const { figures, startedAt, upAt, id, jitter } = worker;
    if (worker.state !== "up" || upAt === undefined || worker.rests) continue;
    const use = {
      requestsTotal: figures?.requestsTotal ?? 0,
      memoryBytes: figures?.memoryBytes ?? 0,
      ageMs: ageOf(startedAt, limits.maxAgeMs, now),
    };
    const found = reasonToRetire(use, withoutVainLimit(fleet), jitter);
    if (found === undefined) continue;
    const isVain = found.limit === "max_memory" && now - upAt < youngMs;
    const tooLarge = isVain ? fleet.tooLarge + 1 : found.limit === "max_memory" ? 0 : fleet.tooLarge;
    if (tooLarge >= mostTooLarge) {
      const maxMemoryBytes = limits.maxMemoryBytes ?? 0;
      actions.push({ type: "tell", event: { type: "max-memory-too-low", worker, memoryBytes: use.memoryBytes, maxMemoryBytes } });
      return { ...fleet, tooLarge };
    }
    actions.push({ type: "tell", event: { type: "retiring", worker, reason: found.reason } });
    return withWorker({ ...fleet, tooLarge }, id, { retires: true });
  }
  return fleet;
}

function ageOf(startedAt: number, maxAgeMs: number | undefined, now: number): number {
  const ageMs = now - startedAt;
  return maxAgeMs !== undefined && now >= startedAt + maxAgeMs ? Math.max(ageMs, maxAgeMs) : ageMs;
}

function hasNoLimit({ options: { limits } }: Fleet): boolean {
  return limits.maxRequests === undefined && limits.maxAgeMs === undefined && limits.maxMemoryBytes === undefined;
}

/** A limit below what a fresh worker needs would replace for ever. */
function withoutVainLimit({ options: { limits }, tooLarge }: Fleet): Fleet["options"]["limits"] {
  return tooLarge < mostTooLarge ? limits : { ...limits, maxMemoryBytes: undefined };
}
