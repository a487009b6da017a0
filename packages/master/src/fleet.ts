/**
 * The workers of a master, as data: `step` takes what has happened and gives what is to be done. No process, no
 * clock and no socket is touched here; the master's loop does that.
 */

/** How an upgrade replaces workers: one after the other, or all at once. */
export type UpgradeMode = "smooth" | "fleet";

export type WorkerState =
  /** Started, and not acknowledged yet. */
  | "starting"
  /** Acknowledged: it accepts connections. */
  | "up"
  /** Told to stop: it drains, and finishes what it has. */
  | "stopping";

export interface Worker {
  /** Unique in the life of the master. */
  readonly id: number;
  /** What it is called by: the lowest number that is free, below twice the number of workers. */
  readonly index: number;
  /** Its place among those that are to serve, below their number; its successor gets the same. */
  readonly slot: number;
  readonly generation: number;
  /** `undefined` until it has been spawned. */
  readonly pid: number | undefined;
  readonly state: WorkerState;
  /** When it entered its state, in milliseconds. */
  readonly since: number;
  /** Whether it was killed because it did not start or stop in time. */
  readonly isKilled: boolean;
  /** Whether it serves only until another one is up in its place. */
  readonly isRetiring: boolean;
}

export interface Upgrade {
  readonly generation: number;
  readonly since: number;
}

export interface Fleet {
  readonly options: FleetOptions;
  /** How many workers there are to be. */
  readonly target: number;
  /** The generation that serves: the last one of which a worker came up, and was not abandoned. */
  readonly generation: number;
  readonly upgrade: Upgrade | undefined;
  readonly workers: readonly Worker[];
  readonly isStopping: boolean;
  /** Whether any worker has ever come up. */
  readonly hasServed: boolean;
  /** Deaths before an ACK, in a row. */
  readonly failures: number;
  /** No worker is started before. */
  readonly notBefore: number;
  readonly nextId: number;
  readonly lastGeneration: number;
}

export interface FleetOptions {
  readonly upgradeMode: UpgradeMode;
  /** How long a worker may take from its start to its ACK. */
  readonly startTimeoutMs: number;
  /** How long a worker may take to stop: its drain and its stop timeout, and a little more. */
  readonly killAfterMs: number;
}

export type FleetEvent =
  | { readonly type: "spawned"; readonly id: number; readonly pid: number }
  | { readonly type: "acknowledged"; readonly pid: number }
  | { readonly type: "exited"; readonly id: number }
  | { readonly type: "resized"; readonly target: number }
  | { readonly type: "upgrade" }
  /** A worker is to be replaced by a new one, because of its age, its memory or its requests. */
  | { readonly type: "retire"; readonly id: number }
  | { readonly type: "stop" }
  /** Time has passed. */
  | { readonly type: "tick" };

export type Action =
  | { readonly type: "spawn"; readonly worker: Worker }
  /** Tells a worker to stop gracefully. */
  | { readonly type: "stop"; readonly worker: Worker }
  | { readonly type: "kill"; readonly worker: Worker; readonly reason: "start_timeout" | "stop_timeout" }
  | { readonly type: "upgraded"; readonly generation: number; readonly ms: number }
  | { readonly type: "abandoned"; readonly generation: number; readonly worker: Worker; readonly reason: "exited" | "start_timeout" }
  /** None of the first generation came up. */
  | { readonly type: "never-served" }
  /** All workers have ended, as was asked. */
  | { readonly type: "ended" };

export interface Step {
  readonly fleet: Fleet;
  readonly actions: readonly Action[];
}

const firstDelayMs = 250;
const longestDelayMs = 30_000;

export function makeFleet(target: number, options: FleetOptions): Fleet {
  return {
    options,
    target,
    generation: 1,
    upgrade: undefined,
    workers: [],
    isStopping: false,
    hasServed: false,
    failures: 0,
    notBefore: 0,
    nextId: 1,
    lastGeneration: 1,
  };
}

/** @param now in milliseconds, of any clock that only goes on */
export function step(fleet: Fleet, event: FleetEvent, now: number): Step {
  const actions: Action[] = [];
  const changed = apply(fleet, event, now, actions);
  return { fleet: settle(changed, now, actions), actions };
}

/** When `step` wants a tick, if nothing else happens; `undefined` when never. */
export function nextTick(fleet: Fleet): number | undefined {
  const { options, workers, notBefore } = fleet;
  const limits = workers
    .filter(({ isKilled }) => !isKilled)
    .flatMap(({ state, since }) =>
      state === "starting" ? [since + options.startTimeoutMs] : state === "stopping" ? [since + options.killAfterMs] : [],
    );
  if (!fleet.isStopping && wantsMore(fleet)) limits.push(notBefore);
  return limits.length === 0 ? undefined : Math.min(...limits);
}

function apply(fleet: Fleet, event: FleetEvent, now: number, actions: Action[]): Fleet {
  switch (event.type) {
    case "spawned":
      return withWorker(fleet, event.id, (worker) => ({ ...worker, pid: event.pid }));
    case "acknowledged":
      return acknowledged(fleet, event.pid, now);
    case "exited":
      return exited(fleet, event.id, now, actions);
    case "resized":
      return { ...fleet, target: Math.max(0, event.target) };
    case "upgrade":
      return beginUpgrade(fleet, now);
    case "retire":
      return withWorker(fleet, event.id, (worker) => ({ ...worker, isRetiring: worker.state === "up" }));
    case "stop":
      return { ...fleet, isStopping: true, upgrade: undefined };
    case "tick":
      return killLate(fleet, now, actions);
    default:
      return event satisfies never;
  }
}

function acknowledged(fleet: Fleet, pid: number, now: number): Fleet {
  const worker = fleet.workers.find((each) => each.pid === pid);
  // A second ACK, or one of a worker that has been given up, says nothing.
  if (worker?.state !== "starting" || worker.isKilled) return fleet;
  const up = withWorker(fleet, worker.id, (each) => ({ ...each, state: "up", since: now }));
  return { ...up, hasServed: true, failures: 0, notBefore: 0 };
}

function exited(fleet: Fleet, id: number, now: number, actions: Action[]): Fleet {
  const worker = fleet.workers.find((each) => each.id === id);
  if (worker === undefined) return fleet;
  const rest = { ...fleet, workers: fleet.workers.filter((each) => each !== worker) };
  if (worker.state !== "starting" || fleet.isStopping) return rest;
  return failedStart(rest, worker, "exited", now, actions);
}

/** A worker that did not come up. In an upgrade, the new generation is given up; else the next try comes later. */
function failedStart(fleet: Fleet, worker: Worker, reason: "exited" | "start_timeout", now: number, actions: Action[]): Fleet {
  const { upgrade } = fleet;
  if (upgrade !== undefined && worker.generation === upgrade.generation) {
    actions.push({ type: "abandoned", generation: upgrade.generation, worker, reason });
    return { ...fleet, upgrade: undefined };
  }
  const failures = fleet.failures + 1;
  if (!fleet.hasServed && failures >= Math.max(1, fleet.target)) {
    actions.push({ type: "never-served" });
    return { ...fleet, failures, isStopping: true };
  }
  const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(failures - 1, 20));
  return { ...fleet, failures, notBefore: fleet.hasServed ? now + delayMs : fleet.notBefore };
}

/** An upgrade during an upgrade begins anew: what the first one started is not needed any more. */
function beginUpgrade(fleet: Fleet, now: number): Fleet {
  if (fleet.isStopping) return fleet;
  const generation = fleet.lastGeneration + 1;
  return { ...fleet, lastGeneration: generation, upgrade: { generation, since: now }, failures: 0, notBefore: 0 };
}

function killLate(fleet: Fleet, now: number, actions: Action[]): Fleet {
  let changed = fleet;
  for (const worker of fleet.workers) {
    if (worker.isKilled) continue;
    const isLateStart = worker.state === "starting" && now - worker.since >= fleet.options.startTimeoutMs;
    const isLateStop = worker.state === "stopping" && now - worker.since >= fleet.options.killAfterMs;
    if (!isLateStart && !isLateStop) continue;
    actions.push({ type: "kill", worker, reason: isLateStart ? "start_timeout" : "stop_timeout" });
    changed = withWorker(changed, worker.id, (each) => ({ ...each, state: "stopping", since: now, isKilled: true }));
    if (isLateStart && !changed.isStopping) changed = failedStart(changed, worker, "start_timeout", now, actions);
  }
  return changed;
}

/** Brings the workers to what they should be. */
function settle(fleet: Fleet, now: number, actions: Action[]): Fleet {
  let changed = fleet;
  if (changed.isStopping) {
    for (const worker of changed.workers) changed = told(changed, worker, now, actions);
    if (changed.workers.length === 0) actions.push({ type: "ended" });
    return changed;
  }
  changed = stopSurplus(changed, now, actions);
  changed = finishUpgrade(changed, now, actions);
  return startMissing(changed, now, actions);
}

/** The generation that is wanted: that of the upgrade, where there is one. */
function wanted({ upgrade, generation }: Fleet): number {
  return upgrade?.generation ?? generation;
}

function isServing({ state }: Worker): boolean {
  return state === "up";
}

/** Whether it is of the generation that is wanted, and not to be replaced. */
function isFresh(fleet: Fleet, { generation, isRetiring }: Worker): boolean {
  return generation === wanted(fleet) && !isRetiring;
}

/** Stops what is not needed: starts that nobody waits for, workers that another one stands in for, and those beyond the target. */
function stopSurplus(fleet: Fleet, now: number, actions: Action[]): Fleet {
  const { workers, target } = fleet;
  const starts = workers.filter((worker) => worker.state === "starting" && !isStartNeeded(fleet, worker));
  const replaced = workers.filter((worker) => isServing(worker) && worker.slot < target && isReplaced(fleet, worker));
  const beyond = workers.filter((worker) => isServing(worker) && worker.slot >= target).sort((a, b) => b.slot - a.slot);
  // Never fewer than there should be, even where a worker of another slot has just died.
  const spare = Math.max(0, workers.filter(isServing).length - target);
  return [...starts, ...[...replaced, ...beyond].slice(0, spare)].reduce((changed, worker) => told(changed, worker, now, actions), fleet);
}

function isStartNeeded(fleet: Fleet, worker: Worker): boolean {
  return isFresh(fleet, worker) && worker.slot < fleet.target;
}

/** Whether a better worker is up in its slot; in a fleet's upgrade, in every slot. */
function isReplaced(fleet: Fleet, worker: Worker): boolean {
  const { upgrade, options, workers } = fleet;
  if (upgrade !== undefined && options.upgradeMode === "fleet" && !isUpgraded(fleet)) return false;
  const best = workers
    .filter((each) => each.slot === worker.slot && isServing(each) && fills(fleet, each))
    .reduce<Worker | undefined>(
      (found, each) => (found !== undefined && isFresh(fleet, found) && !isFresh(fleet, each) ? found : each),
      undefined,
    );
  return best !== undefined && best !== worker;
}

/** Whether nobody else needs to be started for its slot: workers of a generation that was given up still serve. */
function fills(fleet: Fleet, worker: Worker): boolean {
  return isFresh(fleet, worker) || (fleet.upgrade === undefined && isServing(worker) && !worker.isRetiring);
}

/** Whether a worker of the wanted generation is up in every slot. */
function isUpgraded(fleet: Fleet): boolean {
  return slots(fleet).every((slot) => fleet.workers.some((worker) => worker.slot === slot && isServing(worker) && isFresh(fleet, worker)));
}

function slots({ target }: Fleet): number[] {
  return Array.from({ length: target }, (_, slot) => slot);
}

function told(fleet: Fleet, worker: Worker, now: number, actions: Action[]): Fleet {
  if (worker.state === "stopping") return fleet;
  actions.push({ type: "stop", worker });
  return withWorker(fleet, worker.id, (each) => ({ ...each, state: "stopping", since: now }));
}

function finishUpgrade(fleet: Fleet, now: number, actions: Action[]): Fleet {
  const { upgrade } = fleet;
  if (upgrade === undefined || !isUpgraded(fleet)) return fleet;
  actions.push({ type: "upgraded", generation: upgrade.generation, ms: now - upgrade.since });
  return { ...fleet, generation: upgrade.generation, upgrade: undefined };
}

/** The slots for which a worker should be started now, delays aside. */
function missing(fleet: Fleet): number[] {
  const { workers, upgrade, options } = fleet;
  const alive = workers.filter(({ state }) => state !== "stopping");
  const lacking = slots(fleet).filter((slot) => !alive.some((worker) => worker.slot === slot && fills(fleet, worker)));
  if (upgrade === undefined || options.upgradeMode === "fleet") return lacking;
  // One after the other, and at once where nobody is left.
  const empty = lacking.filter((slot) => !alive.some((worker) => worker.slot === slot));
  const isStarting = empty.length > 0 || alive.some((worker) => worker.state === "starting" && isFresh(fleet, worker));
  return isStarting ? empty : lacking.slice(0, 1);
}

function wantsMore(fleet: Fleet): boolean {
  return missing(fleet).length > 0;
}

function startMissing(fleet: Fleet, now: number, actions: Action[]): Fleet {
  const lacking = now < fleet.notBefore ? [] : missing(fleet);
  if (lacking.length === 0) return fleet;
  const taken = new Set(fleet.workers.map(({ index }) => index));
  const started = lacking.map((slot, offset): Worker => {
    const index = freeIndex(taken);
    taken.add(index);
    const worker = { id: fleet.nextId + offset, index, slot, generation: wanted(fleet), state: "starting", since: now } as const;
    return { ...worker, pid: undefined, isKilled: false, isRetiring: false };
  });
  actions.push(...started.map((worker): Action => ({ type: "spawn", worker })));
  return { ...fleet, nextId: fleet.nextId + lacking.length, workers: [...fleet.workers, ...started] };
}

/** The lowest that is free: an upgrade runs through twice as many as there are workers. */
function freeIndex(taken: ReadonlySet<number>): number {
  let index = 0;
  while (taken.has(index)) index += 1;
  return index;
}

function withWorker(fleet: Fleet, id: number, change: (worker: Worker) => Worker): Fleet {
  return { ...fleet, workers: fleet.workers.map((worker) => (worker.id === id ? change(worker) : worker)) };
}
