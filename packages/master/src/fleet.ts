import type { StopReason, WorkerFigures } from "./messages.ts";
import type { WorkerLimits } from "./worker-limits.ts";

/**
 * What a master knows, what can happen to it, and what it does about it, as data. `step` (step.ts) is the one function
 * that decides; no process, no clock, no socket and no chance is touched here. The master's loop (master.ts) performs
 * the actions; the simulation (simulation/) performs them in a world of its own, a million times.
 *
 * Two words: a **slot** is a place in the fleet, from 0 to below the number of workers there are to be; it has a set of
 * sockets, and a worker's successor gets the same. An **index** is what a worker is called by outside, in logs, in
 * `EINHORN_CHILD_INDEX` and in the metrics: the lowest number that no living worker has, so that an upgrade runs through
 * twice as many as there are slots.
 */

/** How an upgrade replaces workers: one after the other, or all at once. */
export type UpgradeMode = "smooth" | "fleet";

export type WorkerState =
  /** Started, and not acknowledged yet. */
  | "starting"
  /** Acknowledged: it accepts connections. */
  | "up"
  /** It was told to stop, or leaves by itself: it drains, and finishes what it has. */
  | "stopping";

export interface Worker {
  /** Unique in the life of the master. */
  readonly id: number;
  /** What it is called by: the lowest number that is free. */
  readonly index: number;
  /** Its place among those that are to serve, below their number; its successor gets the same. */
  readonly slot: number;
  readonly generation: number;
  /** `undefined` until it has been spawned. */
  readonly pid: number | undefined;
  readonly state: WorkerState;
  /** When it entered its state. All instants are in milliseconds of the master's clock. */
  readonly since: number;
  readonly startedAt: number;
  /** When it acknowledged; `undefined` when it never has, so that it had nothing to lose. */
  readonly upAt: number | undefined;
  /** How long it may take to come up, and to stop, as the file said when it was started. */
  readonly startTimeoutMs: number;
  readonly killAfterMs: number;
  /** Its share of `maxRequestsJitter`, from 0 to 1. */
  readonly jitter: number;
  /** The set of sockets that it was started with; `undefined` until it has been spawned. */
  readonly set: number | undefined;
  /** The sets that it accepts on in the place of others, in the order in which they were lent. */
  readonly lent: readonly number[];
  /** Whether it is to serve only until another one is up in its place. */
  readonly retires: boolean;
  /** When something was last heard of it, while it serves; ahead of the time while it rests. */
  readonly heardAt: number;
  /** Whether nothing has been heard of it for so long that it probably does not accept either. */
  readonly isSilent: boolean;
  /** Whether it was told to step aside for a while: others accept in its place, and it is not judged for being silent. */
  readonly rests: boolean;
  /** When it was asked for its stack because it stands still. */
  readonly askedAt: number | undefined;
  readonly figures: WorkerFigures | undefined;
  /** The strongest order to end sooner that it has had. */
  readonly hurried: "no" | "drain" | "cut";
  /** When it will be killed; it has had the time to write its stack by then. */
  readonly killAt: number | undefined;
  readonly isKilled: boolean;
}

export interface Upgrade {
  readonly generation: number;
  readonly since: number;
  /** Who waits for its end. */
  readonly requests: readonly number[];
  /** Its workers that have come up, and ended though nobody told them to. */
  readonly deaths: number;
}

/** What an operator may change while the master runs. */
export interface FleetOptions {
  readonly upgradeMode: UpgradeMode;
  /** How long a worker may take from its start to its ACK. */
  readonly startTimeoutMs: number;
  /** How long a worker may take to stop: its drain and its stop timeout, and a little more. */
  readonly killAfterMs: number;
  readonly limits: WorkerLimits;
  /** For how long an event loop may stand still, which is when nothing is heard of a worker; `undefined`: for ever. */
  readonly workerTimeoutMs: number | undefined;
}

export interface Fleet {
  readonly options: FleetOptions;
  /** How many workers there are to be. */
  readonly target: number;
  /** The generation that serves: the last one of which all workers came up. */
  readonly generation: number;
  /** The last one that was begun. */
  readonly lastGeneration: number;
  readonly upgrade: Upgrade | undefined;
  readonly workers: readonly Worker[];
  readonly nextId: number;
  /** How many sets of sockets there are. */
  readonly sets: number;
  /** Why it stops: it was asked to, or none of the first generation came up. */
  readonly stopping: "no" | "asked" | "never-served";
  /** Whether any worker has ever come up. */
  readonly hasServed: boolean;
  /** Workers of the first generation that did not come up. */
  readonly failedStarts: number;
  /** How often in a row workers have died young: those that died together count once. */
  readonly youngDeaths: number;
  /** When the last of them was counted; who was started before is of the same round. */
  readonly youngDeathAt: number;
  /** No worker is started before. */
  readonly notBefore: number;
  /** How often in a row a worker was replaced for its memory though it was young. */
  readonly tooLarge: number;
  /** The exit codes of those that served until the stop; of those that never came up, when none did. */
  readonly exitCodes: readonly (number | null)[];
  /** When the last event came, and when the one after it was asked for: who comes much later was suspended. */
  readonly tickAt: number | undefined;
}

export type FleetEvent =
  /** There are so many sets of sockets by now: the kernel gives connections to each, whether a worker was started for it or not. */
  | { readonly type: "sockets"; readonly sets: number }
  /** The process runs, with the sockets of this set. `jitter` is chance, which comes from outside. */
  | { readonly type: "spawned"; readonly id: number; readonly pid: number; readonly set: number; readonly jitter: number }
  | { readonly type: "acknowledged"; readonly id: number }
  | { readonly type: "heard"; readonly id: number; readonly figures: WorkerFigures }
  /** It begins to leave, and nobody told it to. */
  | { readonly type: "leaving"; readonly id: number; readonly reason: string }
  /** It is to step aside for so long at most, as for a snapshot; where it is the last one that serves, it serves on. */
  | { readonly type: "rest"; readonly id: number; readonly ms: number }
  | { readonly type: "return"; readonly id: number }
  /** Its process has ended, or could not be started. */
  | { readonly type: "exited"; readonly id: number; readonly code: number | null; readonly signal: string | null }
  /** What the file says has changed. */
  | { readonly type: "configured"; readonly options: FleetOptions }
  | { readonly type: "resize"; readonly target: number; readonly request?: number }
  | { readonly type: "upgrade"; readonly request?: number }
  /** `gracefully` may be said again, and changes nothing then; `drain` ends drains, `cut` requests, `kill` processes. */
  | { readonly type: "stop"; readonly how: "gracefully" | "drain" | "cut" | "kill"; readonly request?: number }
  /** Time has passed. */
  | { readonly type: "tick" };

/** What an operator reads, in the log and on the page. */
export type MasterEvent =
  | { readonly type: "spawned" | "acknowledged" | "stopping"; readonly worker: Worker }
  | { readonly type: "leaving"; readonly worker: Worker; readonly reason: string }
  | { readonly type: "exited"; readonly worker: Worker; readonly code: number | null; readonly signal: string | null }
  | { readonly type: "killed"; readonly worker: Worker; readonly reason: KillReason }
  | { readonly type: "retiring"; readonly worker: Worker; readonly reason: string }
  | { readonly type: "blocked"; readonly worker: Worker; readonly ms: number }
  | { readonly type: "dying-young"; readonly deaths: number; readonly delayMs: number }
  | { readonly type: "max-memory-too-low"; readonly worker: Worker; readonly memoryBytes: number; readonly maxMemoryBytes: number }
  | { readonly type: "upgrade-begun"; readonly generation: number }
  | { readonly type: "upgraded"; readonly generation: number; readonly ms: number }
  | { readonly type: "abandoned"; readonly generation: number; readonly worker: Worker; readonly reason: AbandonReason }
  | { readonly type: "resized"; readonly target: number }
  | { readonly type: "never-served" };

export type KillReason = "start_timeout" | "stop_timeout" | "cut";
export type AbandonReason = "exited" | "start_timeout" | "died";

/** What becomes of a request that waited. */
export type Answer =
  | { readonly ok: true; readonly type: "upgraded"; readonly generation: number; readonly ms: number }
  | { readonly ok: true; readonly type: "resized"; readonly target: number }
  | { readonly ok: true; readonly type: "stopping" }
  | { readonly ok: false; readonly type: "another-upgrade" | "stopping" | "never-served" }
  | { readonly ok: false; readonly type: "abandoned"; readonly worker: Worker; readonly reason: AbandonReason };

export type Action =
  | { readonly type: "spawn"; readonly worker: Worker }
  | { readonly type: "stop"; readonly worker: Worker; readonly reason: StopReason }
  | { readonly type: "hurry"; readonly worker: Worker; readonly ends: "drain" | "cut" }
  /** Its watchdog thread takes the stack even when its loop stands still. */
  | { readonly type: "ask-stack"; readonly worker: Worker }
  | { readonly type: "kill"; readonly worker: Worker }
  /** It accepts no longer, and then again on the set that is its own. */
  | { readonly type: "rest" | "return"; readonly worker: Worker }
  /** It accepts connections: what else is for it can be given to it. */
  | { readonly type: "welcome"; readonly worker: Worker }
  | { readonly type: "lend" | "take-back"; readonly worker: Worker; readonly set: number }
  | { readonly type: "answer"; readonly request: number; readonly answer: Answer }
  | { readonly type: "tell"; readonly event: MasterEvent }
  /** All workers have ended, as was asked, or because none came up. */
  | { readonly type: "ended" };

export interface Step {
  readonly fleet: Fleet;
  readonly actions: readonly Action[];
}

/** A fleet of which nothing runs yet: its first tick starts the workers. */
export function makeFleet(target: number, options: FleetOptions): Fleet {
  return {
    options,
    target,
    generation: 1,
    lastGeneration: 1,
    upgrade: undefined,
    workers: [],
    nextId: 1,
    sets: 0,
    stopping: "no",
    hasServed: false,
    failedStarts: 0,
    youngDeaths: 0,
    youngDeathAt: Number.NEGATIVE_INFINITY,
    notBefore: Number.NEGATIVE_INFINITY,
    tooLarge: 0,
    exitCodes: [],
    tickAt: undefined,
  };
}

export function findWorker({ workers }: Fleet, id: number): Worker | undefined {
  return workers.find((worker) => worker.id === id);
}

/** The fleet with one worker changed. */
export function withWorker(fleet: Fleet, id: number, change: Partial<Worker>): Fleet {
  return { ...fleet, workers: fleet.workers.map((worker) => (worker.id === id ? { ...worker, ...change } : worker)) };
}

/** The generation that is wanted: that of the upgrade, where there is one. */
export function wantedGeneration({ upgrade, generation }: Fleet): number {
  return upgrade?.generation ?? generation;
}

/** Whether it is of the generation that is wanted, and not to be replaced. */
export function isFresh(fleet: Fleet, { generation, retires }: Worker): boolean {
  return generation === wantedGeneration(fleet) && !retires;
}
