import { findWorker, withWorker, type Action, type Fleet } from "./fleet.ts";
import { isServing } from "./lending.ts";

/** A worker steps aside: it accepts no more, in nobody's place, and the others stand in for it. Not the last one that serves. */
export function rested(fleet: Fleet, id: number, untilMs: number, actions: Action[]): Fleet {
  const worker = findWorker(fleet, id);
  const canBeSpared = fleet.workers.some((each) => each.id !== id && isServing(each));
  if (worker?.state !== "up" || worker.rests || fleet.stopping !== "no" || !canBeSpared) return fleet;
  for (const set of worker.lent) actions.push({ type: "take-back", worker, set });
  actions.push({ type: "rest", worker });
  return withWorker(fleet, id, { rests: true, lent: [], heardAt: untilMs });
}

/** It is there again, and has the same time to be heard of as any other. */
export function returned(fleet: Fleet, id: number, now: number, actions: Action[]): Fleet {
  const worker = findWorker(fleet, id);
  if (worker?.rests !== true) return fleet;
  if (worker.state === "up") actions.push({ type: "return", worker });
  return withWorker(fleet, id, { rests: false, heardAt: now });
}
