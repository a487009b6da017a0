import type { Action, Fleet, Worker } from "./fleet.ts";

/** A worker that has said nothing for so long, though it reports each second, does not accept either. */
export const silenceMs = 2500;

/**
 * Clients in the queue of a worker that has died, stops, or is not heard of would wait for its successor: all others
 * stand in for it until that is up.
 */
export function lendSockets(fleet: Fleet, actions: Action[]): Fleet {
  if (fleet.sets < 2 || fleet.stopping !== "no") return fleet;
  const serving = fleet.workers.filter(isServing);
  const served = new Set(serving.map(({ set }) => set));
  // As a rule every set has its worker, and nothing is lent.
  if (served.size === fleet.sets && serving.every(({ lent }) => lent.length === 0)) return fleet;
  const workers = fleet.workers.map((worker) => (isServing(worker) ? withLoans(worker, fleet.sets, served, actions) : worker));
  return { ...fleet, workers };
}

/** Whether it accepts connections, as far as is known. */
export function isServing({ state, isSilent, rests, set }: Worker): boolean {
  return state === "up" && !isSilent && !rests && set !== undefined;
}

function withLoans(worker: Worker, sets: number, served: ReadonlySet<number | undefined>, actions: Action[]): Worker {
  const lent: number[] = [];
  for (const set of worker.lent) {
    if (served.has(set)) actions.push({ type: "take-back", worker, set });
    else lent.push(set);
  }
  for (let set = 0; set < sets; set++) {
    if (served.has(set) || lent.includes(set)) continue;
    actions.push({ type: "lend", worker, set });
    lent.push(set);
  }
  return { ...worker, lent };
}
