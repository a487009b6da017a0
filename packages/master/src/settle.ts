import { isFresh, wantedGeneration, withWorker, type Action, type Fleet, type Worker } from "./fleet.ts";
import type { StopReason } from "./messages.ts";

/** How long a worker lives on after it was asked for its stack, which its watchdog thread writes. */
export const stackTimeMs = 3000;

/** Brings the workers to what they should be: stops whom nobody needs, ends the upgrade that is over, starts who lacks. */
export function settle(fleet: Fleet, now: number, actions: Action[]): Fleet {
  let changed = fleet;
  if (changed.stopping === "no" && hasNeverServed(changed)) {
    actions.push({ type: "tell", event: { type: "never-served" } });
    for (const request of changed.upgrade?.requests ?? [])
      actions.push({ type: "answer", request, answer: { ok: false, type: "never-served" } });
    changed = { ...changed, stopping: "never-served", upgrade: undefined };
  }
  if (changed.stopping !== "no") {
    for (const worker of changed.workers) changed = told(changed, worker, "stop", now, actions);
    return changed;
  }
  changed = stopSurplus(changed, now, actions);
  changed = finishUpgrade(changed, now, actions);
  return startMissing(changed, now, actions);
}

/** None of the first workers came up, and none is on its way. */
function hasNeverServed({ hasServed, failedStarts, workers }: Fleet): boolean {
  return !hasServed && failedStarts > 0 && !workers.some(({ state }) => state === "starting");
}

function isUp({ state }: Worker): boolean {
  return state === "up";
}

/** Stops what is not needed: starts that nobody waits for, workers that another one stands in for, and those beyond the target. */
function stopSurplus(fleet: Fleet, now: number, actions: Action[]): Fleet {
  const { workers, target } = fleet;
  const starts = workers.filter((worker) => worker.state === "starting" && !(isFresh(fleet, worker) && worker.slot < target));
  const replaced = workers.filter((worker) => isUp(worker) && worker.slot < target && isReplaced(fleet, worker));
  const beyond = workers.filter((worker) => isUp(worker) && worker.slot >= target).sort((a, b) => b.slot - a.slot);
  // Never fewer than there should be, even where a worker of another slot has just died.
  const spare = Math.max(0, workers.filter(isUp).length - target);
  return [...starts, ...[...replaced, ...beyond].slice(0, spare)].reduce(
    (changed, worker) => told(changed, worker, reasonFor(fleet, worker), now, actions),
    fleet,
  );
}

function reasonFor(fleet: Fleet, { generation, retires }: Worker): StopReason {
  return generation === wantedGeneration(fleet) || retires ? "replaced" : "upgrade";
}

/** Whether a better worker is up in its slot; in a fleet's upgrade, in every slot. */
function isReplaced(fleet: Fleet, worker: Worker): boolean {
  const { upgrade, options, workers } = fleet;
  const inSlot = workers.filter((each) => each.slot === worker.slot && isUp(each));
  if (upgrade !== undefined && options.upgradeMode === "fleet" && !isUpgraded(fleet)) {
    // One of the old ones serves on in each slot: an upgrade that was begun anew may have left others beside it.
    const old = inSlot.filter((each) => !isFresh(fleet, each));
    const kept = old.find(({ generation, retires }) => generation === fleet.generation && !retires) ?? old[0];
    return !isFresh(fleet, worker) && kept !== worker;
  }
  const fillers = inSlot.filter((each) => fills(fleet, each));
  // Where all of them are to be replaced, one is kept until that is done: of two, the slot's worker and one that stood in for it, say.
  const best = fillers.find((each) => isFresh(fleet, each)) ?? fillers[0] ?? lastResort(inSlot);
  return best !== worker;
}

/** Who serves best of those that are all to be replaced: one that reached a limit rather than one that stands still. */
function lastResort(inSlot: readonly Worker[]): Worker | undefined {
  return inSlot.find(({ retires }) => !retires) ?? inSlot.find(({ askedAt }) => askedAt === undefined) ?? inSlot[0];
}

/** Whether nobody else needs to be started for its slot: workers of a generation that was given up still serve. */
function fills(fleet: Fleet, worker: Worker): boolean {
  return isFresh(fleet, worker) || (fleet.upgrade === undefined && isUp(worker) && !worker.retires);
}

/** Whether a worker of the wanted generation is up in every slot. */
function isUpgraded(fleet: Fleet): boolean {
  for (let slot = 0; slot < fleet.target; slot++)
    if (!fleet.workers.some((worker) => worker.slot === slot && isUp(worker) && isFresh(fleet, worker))) return false;
  return true;
}

/** Tells a worker to stop, once. One that stands still would not hear it: it is killed, once its stack is written. */
export function told(fleet: Fleet, worker: Worker, reason: StopReason, now: number, actions: Action[]): Fleet {
  if (worker.state === "stopping") return fleet;
  actions.push({ type: "tell", event: { type: "stopping", worker } });
  const change = { state: "stopping", since: now } as const;
  if (worker.askedAt !== undefined) {
    const killAt = worker.askedAt + stackTimeMs;
    const isKilled = killAt <= now;
    if (isKilled) actions.push({ type: "kill", worker });
    return withWorker(fleet, worker.id, { ...change, killAt, isKilled });
  }
  actions.push({ type: "stop", worker, reason });
  return withWorker(fleet, worker.id, change);
}

function finishUpgrade(fleet: Fleet, now: number, actions: Action[]): Fleet {
  const { upgrade } = fleet;
  if (upgrade === undefined || !isUpgraded(fleet)) return fleet;
  const { generation, requests } = upgrade;
  const ms = now - upgrade.since;
  actions.push({ type: "tell", event: { type: "upgraded", generation, ms } });
  for (const request of requests) actions.push({ type: "answer", request, answer: { ok: true, type: "upgraded", generation, ms } });
  return { ...fleet, generation, upgrade: undefined };
}

/** The slots for which a worker should be started now, delays aside. */
export function missingSlots(fleet: Fleet): number[] {
  // What kills one of the first workers may kill them all: whether one comes up is waited for.
  if (!fleet.hasServed && fleet.failedStarts > 0) return [];
  const { workers, upgrade, options, target } = fleet;
  const alive = workers.filter(({ state }) => state !== "stopping");
  const lacking: number[] = [];
  for (let slot = 0; slot < target; slot++) if (!alive.some((worker) => worker.slot === slot && fills(fleet, worker))) lacking.push(slot);
  if (lacking.length === 0 || upgrade === undefined || options.upgradeMode === "fleet") return lacking;
  // One after the other, and at once where nobody is left.
  const empty = lacking.filter((slot) => !alive.some((worker) => worker.slot === slot));
  const isStarting = empty.length > 0 || alive.some((worker) => worker.state === "starting" && isFresh(fleet, worker));
  return isStarting ? empty : lacking.slice(0, 1);
}

function startMissing(fleet: Fleet, now: number, actions: Action[]): Fleet {
  const missing = now < fleet.notBefore ? [] : missingSlots(fleet);
  if (missing.length === 0) return fleet;
  const taken = new Set(fleet.workers.map(({ index }) => index));
  const started = missing.map((slot, offset): Worker => {
    const index = freeIndex(taken);
    taken.add(index);
    return newWorker(fleet, { id: fleet.nextId + offset, index, slot }, now);
  });
  actions.push(...started.map((worker): Action => ({ type: "spawn", worker })));
  return { ...fleet, nextId: fleet.nextId + missing.length, workers: [...fleet.workers, ...started] };
}

function freeIndex(taken: ReadonlySet<number>): number {
  let index = 0;
  while (taken.has(index)) index += 1;
  return index;
}

function newWorker(fleet: Fleet, identity: Pick<Worker, "id" | "index" | "slot">, now: number): Worker {
  return {
    ...identity,
    generation: wantedGeneration(fleet),
    pid: undefined,
    state: "starting",
    since: now,
    startedAt: now,
    upAt: undefined,
    startTimeoutMs: fleet.options.startTimeoutMs,
    killAfterMs: fleet.options.killAfterMs,
    jitter: 0,
    set: undefined,
    lent: [],
    retires: false,
    heardAt: now,
    isSilent: false,
    rests: false,
    askedAt: undefined,
    figures: undefined,
    hurried: "no",
    killAt: undefined,
    isKilled: false,
  };
}
