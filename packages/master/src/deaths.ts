import { findWorker, withWorker, type AbandonReason, type Action, type Fleet, type FleetEvent, type Worker } from "./fleet.ts";

/** Who dies before its ACK, or so soon after it, dies young. */
export const youngMs = 10_000;
const firstDelayMs = 250;
export const longestDelayMs = 30_000;
/** An upgrade is given up when so many of its workers have come up and died: never fewer, for single accidents happen. */
const fewestDeaths = 3;

/** The worker says that it begins to leave: as if it had gone already, but that it finishes what it has. */
export function leaving(fleet: Fleet, { id, reason }: Extract<FleetEvent, { type: "leaving" }>, now: number, actions: Action[]): Fleet {
  const worker = findWorker(fleet, id);
  if (worker === undefined || worker.state === "stopping") return fleet;
  actions.push({ type: "tell", event: { type: "leaving", worker, reason } });
  const rest = withWorker(fleet, id, { state: "stopping", since: now });
  return fleet.stopping === "no" ? unasked(rest, worker, now, actions) : rest;
}

export function exited(fleet: Fleet, event: Extract<FleetEvent, { type: "exited" }>, now: number, actions: Action[]): Fleet {
  const { id, code, signal } = event;
  const worker = findWorker(fleet, id);
  if (worker === undefined) return fleet;
  actions.push({ type: "tell", event: { type: "exited", worker, code, signal } });
  const saysHowItEnds = fleet.stopping === "asked" ? worker.upAt !== undefined || code === 1 : !fleet.hasServed;
  const exitCodes = saysHowItEnds ? [...fleet.exitCodes, code] : fleet.exitCodes;
  const rest = { ...fleet, workers: fleet.workers.filter((each) => each !== worker), exitCodes };
  // Whoever was told to stop, or said that it leaves, has been counted then.
  return worker.state === "stopping" || fleet.stopping !== "no" ? rest : unasked(rest, worker, now, actions);
}

/** A worker that comes to its end though nobody told it to. */
function unasked(fleet: Fleet, worker: Worker, now: number, actions: Action[]): Fleet {
  if (worker.state === "starting") return failedStart(fleet, worker, "exited", now, actions);
  const changed = isYoung(worker, now) ? diedYoung(fleet, worker, now, actions) : fleet;
  const { upgrade, target } = changed;
  if (upgrade === undefined || worker.generation !== upgrade.generation) return changed;
  const deaths = upgrade.deaths + 1;
  if (deaths < Math.max(fewestDeaths, target)) return { ...changed, upgrade: { ...upgrade, deaths } };
  return abandoned(changed, worker, "died", actions);
}

/** A worker that did not come up. In an upgrade, the new generation is given up; else the next try comes later. */
export function failedStart(fleet: Fleet, worker: Worker, reason: "exited" | "start_timeout", now: number, actions: Action[]): Fleet {
  if (fleet.hasServed && fleet.upgrade?.generation === worker.generation) return abandoned(fleet, worker, reason, actions);
  // The others of the first generation may come up yet.
  if (!fleet.hasServed) return { ...fleet, failedStarts: fleet.failedStarts + 1 };
  return diedYoung(fleet, worker, now, actions);
}

function abandoned(fleet: Fleet, worker: Worker, reason: AbandonReason, actions: Action[]): Fleet {
  const { upgrade } = fleet;
  if (upgrade === undefined) return fleet;
  actions.push({ type: "tell", event: { type: "abandoned", generation: upgrade.generation, worker, reason } });
  for (const request of upgrade.requests)
    actions.push({ type: "answer", request, answer: { ok: false, type: "abandoned", worker, reason } });
  return { ...fleet, upgrade: undefined };
}

function isYoung({ upAt }: Worker, now: number): boolean {
  return upAt === undefined || now - upAt < youngMs;
}

/** The first is replaced at once; while they keep dying young, the next start comes later and later. */
function diedYoung(fleet: Fleet, worker: Worker, now: number, actions: Action[]): Fleet {
  // Workers that run side by side die of one cause: they are one round.
  if (worker.startedAt < fleet.youngDeathAt) return fleet;
  const deaths = fleet.youngDeaths + 1;
  const delayMs = deaths === 1 ? 0 : Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(deaths - 2, 20));
  if (delayMs > 0) actions.push({ type: "tell", event: { type: "dying-young", deaths, delayMs } });
  return { ...fleet, youngDeaths: deaths, youngDeathAt: now, notBefore: now + delayMs };
}

/** A worker that was started since, and is young no more, shows that they can live. */
export function forgetDeaths(fleet: Fleet, now: number): Fleet {
  if (fleet.youngDeaths === 0) return fleet;
  const lives = fleet.workers.some(
    (worker) => worker.state === "up" && worker.startedAt >= fleet.youngDeathAt && !isYoung(worker, now) && !worker.isSilent,
  );
  return lives ? { ...fleet, youngDeaths: 0, notBefore: Number.NEGATIVE_INFINITY } : fleet;
}
