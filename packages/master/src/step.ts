import { exited, forgetDeaths, leaving } from "./deaths.ts";
import { findWorker, withWorker, type Action, type Fleet, type FleetEvent, type Step } from "./fleet.ts";
import { lendSockets } from "./lending.ts";
import { nextTick } from "./next-tick.ts";
import { rested, returned } from "./rest.ts";
import { settle, told } from "./settle.ts";
import { watch } from "./watch.ts";

/**
 * Everything that a master decides: what has happened, and the time, give what is known from then on, and what is to be
 * done. Pure: the same fleet, event and time give the same step.
 *
 * @param now in milliseconds, of any clock that only goes on
 */
export function step(fleet: Fleet, event: FleetEvent, now: number): Step {
  const actions: Action[] = [];
  const applied = apply(fleet, event, now, actions);
  let changed = watch(applied, now, actions);
  if (changed === applied && isRoutine(fleet, event)) return { fleet: { ...changed, tickAt: nextTick(changed, now) }, actions };
  changed = forgetDeaths(changed, now);
  changed = settle(changed, now, actions);
  changed = lendSockets(changed, actions);
  if (changed.stopping !== "no" && changed.workers.length === 0) actions.push({ type: "ended" });
  return { fleet: { ...changed, tickAt: nextTick(changed, now) }, actions };
}

/** A worker that is well says so, once a second: nothing follows from it but when it is looked for again. */
function isRoutine(fleet: Fleet, event: FleetEvent): boolean {
  if (event.type !== "heard" || fleet.youngDeaths > 0) return false;
  const worker = findWorker(fleet, event.id);
  return worker === undefined || (!worker.isSilent && worker.askedAt === undefined);
}

function apply(fleet: Fleet, event: FleetEvent, now: number, actions: Action[]): Fleet {
  switch (event.type) {
    case "sockets":
      return { ...fleet, sets: event.sets };
    case "spawned": {
      const { id, pid, set, jitter } = event;
      return withWorker(fleet, id, { pid, set, jitter });
    }
    case "acknowledged":
      return acknowledged(fleet, event.id, now, actions);
    case "heard":
      return heard(fleet, event, now);
    case "leaving":
      return leaving(fleet, event, now, actions);
    case "rest":
      return rested(fleet, event.id, now + event.ms, actions);
    case "return":
      return returned(fleet, event.id, now, actions);
    case "exited":
      return exited(fleet, event, now, actions);
    case "configured":
      return configured(fleet, event);
    case "resize":
      return resized(fleet, event, actions);
    case "upgrade":
      return upgradeBegun(fleet, event, now, actions);
    case "stop":
      return stopped(fleet, event, now, actions);
    case "tick":
      return fleet;
    default:
      return event satisfies never;
  }
}

function acknowledged(fleet: Fleet, id: number, now: number, actions: Action[]): Fleet {
  const worker = findWorker(fleet, id);
  // A second ACK, or one of a worker that has been told to stop, says nothing.
  if (worker?.state !== "starting") return fleet;
  actions.push({ type: "tell", event: { type: "acknowledged", worker } }, { type: "welcome", worker });
  const up = withWorker(fleet, id, { state: "up", since: now, upAt: now, heardAt: now });
  return { ...up, hasServed: true, failedStarts: 0 };
}

function heard(fleet: Fleet, { id, figures }: Extract<FleetEvent, { type: "heard" }>, now: number): Fleet {
  const worker = findWorker(fleet, id);
  if (worker === undefined) return fleet;
  // Who stood still and does so no more can be told to stop; it is replaced all the same.
  const askedAt = worker.killAt === undefined ? undefined : worker.askedAt;
  return withWorker(fleet, id, { figures, heardAt: Math.max(now, worker.rests ? worker.heardAt : now), isSilent: false, askedAt });
}

function configured(fleet: Fleet, { options }: Extract<FleetEvent, { type: "configured" }>): Fleet {
  const isOtherMemory = options.limits.maxMemoryBytes !== fleet.options.limits.maxMemoryBytes;
  return { ...fleet, options, tooLarge: isOtherMemory ? 0 : fleet.tooLarge };
}

function resized(fleet: Fleet, { target, request }: Extract<FleetEvent, { type: "resize" }>, actions: Action[]): Fleet {
  if (fleet.stopping !== "no") {
    if (request !== undefined) actions.push({ type: "answer", request, answer: { ok: false, type: "stopping" } });
    return fleet;
  }
  const wanted = Math.max(1, target);
  if (wanted !== fleet.target) actions.push({ type: "tell", event: { type: "resized", target: wanted } });
  if (request !== undefined) actions.push({ type: "answer", request, answer: { ok: true, type: "resized", target: wanted } });
  return { ...fleet, target: wanted };
}

/** An upgrade during an upgrade begins anew: what the first one started is not needed any more. */
function upgradeBegun(fleet: Fleet, { request }: Extract<FleetEvent, { type: "upgrade" }>, now: number, actions: Action[]): Fleet {
  const requests = request === undefined ? [] : [request];
  if (fleet.stopping !== "no") {
    for (const each of requests) actions.push({ type: "answer", request: each, answer: { ok: false, type: "stopping" } });
    return fleet;
  }
  for (const each of fleet.upgrade?.requests ?? [])
    actions.push({ type: "answer", request: each, answer: { ok: false, type: "another-upgrade" } });
  const generation = fleet.lastGeneration + 1;
  actions.push({ type: "tell", event: { type: "upgrade-begun", generation } });
  return {
    ...fleet,
    lastGeneration: generation,
    // Before anybody has served there is nothing to go back to: the new generation is the first one.
    generation: fleet.hasServed ? fleet.generation : generation,
    failedStarts: 0,
    upgrade: { generation, since: now, requests, deaths: 0 },
    youngDeaths: 0,
    youngDeathAt: now,
    notBefore: Number.NEGATIVE_INFINITY,
    tooLarge: 0,
  };
}

function stopped(fleet: Fleet, { how, request }: Extract<FleetEvent, { type: "stop" }>, now: number, actions: Action[]): Fleet {
  for (const each of fleet.upgrade?.requests ?? [])
    actions.push({ type: "answer", request: each, answer: { ok: false, type: "stopping" } });
  // What failed before is not what was lost by stopping.
  let changed: Fleet = fleet.stopping === "no" ? { ...fleet, stopping: "asked", upgrade: undefined, exitCodes: [] } : fleet;
  if (request !== undefined) actions.push({ type: "answer", request, answer: { ok: true, type: "stopping" } });
  for (const worker of changed.workers) changed = told(changed, worker, "stop", now, actions);
  if (how !== "gracefully") for (const worker of changed.workers) changed = hurried(changed, worker.id, how, now, actions);
  return changed;
}

/** How long a worker that was told to cut what it has may take. */
export const cutTimeMs = 2000;

function hurried(fleet: Fleet, id: number, how: "drain" | "cut" | "kill", now: number, actions: Action[]): Fleet {
  const worker = findWorker(fleet, id);
  if (worker === undefined || worker.isKilled) return fleet;
  if (how === "kill") {
    actions.push({ type: "kill", worker });
    return withWorker(fleet, id, { isKilled: true });
  }
  if (worker.hurried === "cut" || worker.hurried === how) return fleet;
  actions.push({ type: "hurry", worker, ends: how });
  if (how === "drain") return withWorker(fleet, id, { hurried: how });
  return withWorker(fleet, id, { hurried: how, killAt: Math.min(worker.killAt ?? Number.POSITIVE_INFINITY, now + cutTimeMs) });
}
